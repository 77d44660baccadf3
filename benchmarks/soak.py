"""Soak: one long training, its memory and its open files sampled from outside.

A leak shows as a slope over the second half: what is allocated only once is there by then.

Example:
    python -m benchmarks.soak --minutes 30 --json benchmarks/results/soak.json
"""

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import psutil
import tyro

from benchmarks.provenance import provenance
from experiment.command_line import ROOT, check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from monitoring.console import make_console
from settings import Checked, Within

INTERVAL = 5.0
"""Seconds between two samples."""


@dataclass(frozen=True)
class SoakConfig(Checked):
    """Watch a training's memory and open files."""

    json: Path
    """File for the result."""
    minutes: Annotated[float, Within(1, 10_000)] = 30.0
    """Length of the training."""


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
    """Train, sample, write the JSON and print the summary."""
    config = tyro.cli(SoakConfig)
    check_output(config.json)
    samples = watch(60 * config.minutes)
    result = {**provenance("soak"), **summary(samples), "samples": samples}
    write_json(config.json, result, indent=None)
    make_console().print({name: value for name, value in result.items() if name != "samples"})


def watch(seconds: float) -> list[Sample]:
    """Samples of ``train.py`` with checkpoints and images five times as often as by default.

    Raises:
        UserError: If the training ended by itself or badly.
    """
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as printed:
        command = [
            sys.executable,
            str(ROOT / "train.py"),
            "--run-dir",
            str(Path(directory) / "run"),
        ]
        command += ["--total-steps", str(10**9), "--evaluation-games", "0"]
        command += ["--checkpoint-interval", "10000", "--image-interval", "5000"]
        # Not psutil.Popen: its kill() raises an error once the process has ended.
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        watched, started = psutil.Process(process.pid), time.monotonic()
        try:
            while time.monotonic() - started < seconds and process.poll() is None:
                with suppress(psutil.Error):  # it may have ended since it was asked
                    samples.append(sample(watched, time.monotonic() - started))
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


def sample(process: psutil.Process, seconds: float) -> Sample:
    """Sample a process that runs."""
    with process.oneshot():
        rss = process.memory_info().rss / 2**20
        return Sample(seconds, rss, process.num_fds(), process.num_threads())


def summary(samples: list[Sample]) -> dict[str, float]:
    """Peaks, and what the second half grew by, per hour."""
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
    sys.exit(exit_code(main))
