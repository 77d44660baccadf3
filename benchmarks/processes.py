"""Trainings as users start them, each in a process of its own, measured from outside."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from experiment.command_line import ROOT
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from monitoring.scalars import scalars

Algorithm = Literal["a2c", "ppo"]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
"""What starts several ranks; their number follows."""


class Point(NamedTuple):
    """How far a training was at some time."""

    seconds: float
    """Since its process was started."""
    steps: int
    """Agent steps."""
    score: float | None
    """Mean raw score of its last 50 games; None before the first has ended."""


class MeasuredTraining(NamedTuple):
    """What was measured of one training."""

    points: list[Point]
    """One after every update."""
    peak_rss_mib: float
    """Largest resident memory of its process."""

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second after start-up and the first fifth of the updates, the warm-up.

        Raises:
            UserError: If there were too few updates to tell.
        """
        if len(self.points) < 3:
            raise UserError(
                f"{len(self.points)} updates are too few for a speed; take more seconds"
            )
        points = self.points[len(self.points) // 5 :]
        return (points[-1].steps - points[0].steps) / (points[-1].seconds - points[0].seconds)


def train_ours(
    run_dir: Path,
    flags: Sequence[str],
    seconds: float = float("inf"),
    launcher: Sequence[str] = (),
) -> MeasuredTraining:
    """Run ``train.py`` with ``flags`` for ``seconds``, or until it ends.

    Args:
        run_dir: Where it writes.
        flags: Of the training.
        seconds: After which it is interrupted.
        launcher: What Python runs instead, if that starts ``train.py``.
    """
    started = time.time()
    command = [*launcher, str(ROOT / "train.py"), "--run-dir", str(run_dir)]
    command += ["--evaluation-games", "0", *flags]
    peak = run_for(command, seconds)
    tags = ("episode/return_recent", "speed/steps_per_second")
    returns, updates = scalars(RunDirectory(run_dir).tensorboard, tags).values()
    scores = {at.step: at.value for at in returns}
    points = [Point(at.wall_time - started, at.step, scores.get(at.step)) for at in updates]
    return MeasuredTraining(points, peak)


def train_sb3(
    algorithm: Algorithm, seed: int, file: Path, seconds: float, module: str = "benchmarks.sb3"
) -> MeasuredTraining:
    """Run ``module`` for ``seconds``; ``file`` is where it writes its points."""
    started = time.time()
    flags = ["--algorithm", algorithm, "--seed", str(seed), "--json", str(file)]
    peak = run_for(["-m", module, *flags], seconds)
    points = [
        Point(at - started, steps, score) for at, steps, score in json.loads(file.read_text())
    ]
    return MeasuredTraining(points, peak)


def run_for(arguments: Sequence[str], seconds: float = float("inf")) -> float:
    """Run Python, interrupt it after ``seconds``; returns its peak resident memory in MiB.

    Raises:
        UserError: If it failed; says the end of what it printed.
    """
    deadline, peak = time.monotonic() + seconds, 0.0
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                peak = max(peak, high_water(process.pid))
                if time.monotonic() > deadline:
                    process.send_signal(signal.SIGINT)
                    deadline = float("inf")
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            printed.seek(0)
            raise UserError(
                f"{' '.join(arguments)} ended with {process.returncode}: {printed.read()[-2000:]}"
            )
    return peak


def high_water(pid: int) -> float:
    """A process's largest resident memory so far in MiB; 0 if it has just ended.

    ``ru_maxrss`` would not do: between vfork and exec a child takes over that of its parent.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else 0.0
