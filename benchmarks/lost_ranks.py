"""Ranks are killed at random moments: does the training go on, and how much is lost?

One training of two ranks is started by torchrun with restarts. Again and again one of its ranks is
killed, whatever it is at. What is lost are the agent steps between the last update that TensorBoard
has and the checkpoint from which the restarted ranks go on.

Example:
    python -m benchmarks.lost_ranks --json benchmarks/results/lost_ranks.json
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import tyro
from rich.table import Table

from benchmarks.processes import TORCHRUN
from benchmarks.provenance import provenance
from experiment.command_line import ROOT, check_output, exit_code
from experiment.config import Steps
from experiment.errors import UserError
from experiment.files import write_json
from experiment.run_directory import RunDirectory
from monitoring.console import print_table
from monitoring.scalars import scalars
from settings import Checked, Seed, Within

RANKS = 2
SPEED = "speed/steps_per_second"
PATIENCE = 180.0
"""Seconds in which a training must go on."""
RESUMED = re.compile(r"resuming .* at ([\d,]+) steps")


@dataclass(frozen=True)
class LostRanksConfig(Checked):
    """Kill ranks at random moments."""

    json: Path
    """File for the result, written after every kill."""
    kills: Annotated[int, Within(1, 1000)] = 20
    """How many."""
    longest: Annotated[float, Within(1, 3600)] = 20.0
    """Most seconds between two kills, and from a start to the first."""
    checkpoint_interval: Steps = 10_000
    """Agent steps between two checkpoints."""
    seed: Seed = 1
    """Of the moments and the victims."""


def main() -> None:
    """Kill, write the JSON and print the table."""
    config = tyro.cli(LostRanksConfig)
    check_output(config.json)
    rng = np.random.default_rng(config.seed)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        run, log = RunDirectory(Path(directory) / "run"), Path(directory) / "log"
        process = start(run.path, log, config)
        try:
            for number in range(config.kills):
                time.sleep(rng.uniform(0, config.longest))
                found.append(kill(process, run, log, int(rng.integers(RANKS)), number))
                result = {**provenance("lost_ranks"), "kills": found}
                write_json(config.json, result)
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
    table = Table("killed rank", "was at", "went on at", "lost steps", "seconds until then")
    for one in found:
        numbers = (one["was_at"], one["went_on_at"], one["lost"])
        table.add_row(str(one["rank"]), *(f"{n:,}" for n in numbers), f"{one['seconds']:.0f}")
    print_table(table)


def start(run: Path, log: Path, config: LostRanksConfig) -> subprocess.Popen[bytes]:
    """Start a training without an end."""
    command = [sys.executable, *TORCHRUN, str(RANKS), "--max-restarts", str(config.kills)]
    command += [str(ROOT / "train.py"), "--run-dir", str(run), "--total-steps", str(10**9)]
    command += ["--checkpoint-interval", str(config.checkpoint_interval)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)


def kill(
    process: subprocess.Popen[bytes], run: RunDirectory, log: Path, rank: int, before: int
) -> dict[str, Any]:
    """Kill a rank and wait until the training goes on.

    Args:
        process: torchrun.
        run: Directory of the training.
        log: What it prints.
        rank: The victim.
        before: How often it was started again before.

    Raises:
        UserError: If it does not go on.
    """
    steps = scalars(run.tensorboard, [SPEED])[SPEED]
    was_at = steps[-1].step if steps else 0
    victims = [
        child for child in psutil.Process(process.pid).children()
        if child.environ().get("RANK") == str(rank)
    ]  # fmt: skip
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    while time.monotonic() < killed + PATIENCE:
        later = scalars(run.tensorboard, [SPEED])[SPEED]
        if later and later[-1].wall_time > time.time() - 5 and restarts(process) > before:
            found = RESUMED.findall(log.read_text(errors="replace"))
            went_on_at = int(found[-1].replace(",", "")) if found else 0
            return {
                "rank": rank,
                "was_at": was_at,
                "went_on_at": went_on_at,
                "lost": max(0, was_at - went_on_at),
                "seconds": time.monotonic() - killed,
            }
        time.sleep(0.5)
    raise UserError(f"the training did not go on: {log.read_text(errors='replace')[-2000:]}")


def restarts(process: subprocess.Popen[bytes]) -> int:
    """How often the ranks that live were started again; -1 if none lives."""
    counts = [
        int(child.environ().get("TORCHELASTIC_RESTART_COUNT", "-1"))
        for child in psutil.Process(process.pid).children()
    ]
    return max(counts, default=-1)


if __name__ == "__main__":
    sys.exit(exit_code(main))
