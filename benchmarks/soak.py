"""Soak: one long training, its memory and its open files sampled from outside.

A leak shows as a slope over the second half, when everything that is allocated once is there.

Example:
    python -m benchmarks.soak --minutes 30 --json benchmarks/results/soak.json
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from rich.console import Console

from agent.errors import UserError
from benchmarks.command import check_output, provenance, run

INTERVAL = 5.0
"""Seconds between two samples."""


@dataclass(frozen=True)
class SoakConfig:
    """Watch a training's memory and open files."""

    json: Path
    """File for the result."""
    minutes: float = 30.0
    """Length of the training."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if not 1 <= self.minutes <= 10_000:
            raise ValueError(f"minutes must be from 1 to 10000, got {self.minutes}")


class Sample(NamedTuple):
    """A process at some time."""

    seconds: float
    """Since its start."""
    rss_mib: float
    """Resident memory."""
    files: int
    """Open file descriptors."""
    threads: int


def main() -> None:
    """Train, sample, print and write the JSON."""
    config = tyro.cli(SoakConfig)
    check_output(config.json)
    samples = watch(60 * config.minutes)
    result = {**provenance("soak"), **summary(samples), "samples": samples}
    config.json.write_text(json.dumps(result) + "\n")
    Console().print({name: value for name, value in result.items() if name != "samples"})


def watch(seconds: float) -> list[Sample]:
    """Samples of ``train.py`` with checkpoints and images five times as often as by default.

    Raises:
        UserError: If the training ended by itself or badly.
    """
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as printed:
        command = [sys.executable, "train.py", "--run-dir", str(Path(directory) / "run")]
        command += ["--total-steps", str(10**9), "--evaluation-games", "0"]
        command += ["--checkpoint-interval", "10000", "--image-interval", "5000"]
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        started = time.monotonic()
        try:
            while time.monotonic() - started < seconds and process.poll() is None:
                samples.append(sample(process.pid, time.monotonic() - started))
                time.sleep(INTERVAL)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
        if code != 143:
            printed.seek(0)
            raise UserError(f"train.py ended with {code}: {printed.read()[-2000:]}")
    return samples


def sample(pid: int, seconds: float) -> Sample:
    """A living process as Linux sees it."""
    directory = Path(f"/proc/{pid}")
    lines = (directory / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    return Sample(
        seconds,
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((directory / "fd").iterdir())),
        int(status["Threads"]),
    )


def summary(samples: list[Sample]) -> dict[str, float]:
    """Peaks, and growth for an hour over the second half."""
    half = samples[len(samples) // 2 :]
    hours = [sample.seconds / 3600 for sample in half]
    return {
        "minutes": samples[-1].seconds / 60,
        "peak_rss_mib": max(sample.rss_mib for sample in samples),
        "mib_per_hour": float(np.polyfit(hours, [sample.rss_mib for sample in half], 1)[0]),
        "peak_files": max(sample.files for sample in samples),
        "files_per_hour": float(np.polyfit(hours, [sample.files for sample in half], 1)[0]),
        "peak_threads": max(sample.threads for sample in samples),
    }


if __name__ == "__main__":
    run(main)
