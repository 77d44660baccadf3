"""Trainings that torchrun starts: several ranks, one run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import train
from experiment.command_line import ROOT
from experiment.run_directory import load_checkpoint
from tests.test_extension import FLAGS

SMALL = [*FLAGS, "--evaluation-games", "0"]
"""Sixteen agent steps an update, of both ranks together."""


def torchrun(*arguments: str, ranks: int = 2, restarts: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks)]
    command += ["--max-restarts", str(restarts), "train.py", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def test_two_ranks_make_one_run_which_one_rank_resumes(tmp_path: Path):
    run = tmp_path / "run"
    process = torchrun("--run-dir", str(run), *SMALL, "--total-steps", "48")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output.count("trained 48 steps") == 1
    assert len(list((run / "tensorboard").glob("events.*"))) == 1
    assert load_checkpoint(run).state["statistics"]["updates"] == 3
    assert train.main(["--run-dir", str(run), "--resume", "--total-steps", "64"]) == 0
    assert load_checkpoint(run).state["statistics"]["updates"] == 4


def test_what_ranks_cannot_share_is_said_once(tmp_path: Path):
    process = torchrun("--run-dir", str(tmp_path / "run"), *SMALL, "--num-envs", "3")
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert output.count("error: num_envs must be a multiple of the 2 ranks, got 3") == 1
    assert not (tmp_path / "run").exists()


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The ranks, by their number."""
    children = psutil.Process(process.pid).children()
    return sorted(children, key=lambda child: int(child.environ()["RANK"]))


@pytest.mark.long
@pytest.mark.parametrize("victim", [0, 1])
def test_a_lost_rank_is_named_and_a_restart_goes_on(tmp_path: Path, victim: int):
    run = tmp_path / "run"
    flags = ["--run-dir", str(run), "--total-steps", "30000", "--checkpoint-interval", "4096"]
    process = torchrun(*flags, "--evaluation-games", "0", restarts=1)
    ends = time.monotonic() + 120
    while not list((run / "checkpoints").glob("steps_*")) and time.monotonic() < ends:
        time.sleep(0.2)
    ranks = workers(process)
    assert len(ranks) == 2
    os.kill(ranks[victim].pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert f"error: lost rank {victim} (process {ranks[victim].pid} on " in output
    assert output.count("resuming ") == 1
    assert load_checkpoint(run).state["statistics"]["steps"] >= 30_000
