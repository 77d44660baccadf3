"""Real processes that are killed, terminated, interrupted or run out of disk, and then resumed.

The short version is in the suite; ``make test-long`` kills many more.
"""

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from envs import Projection
from experiment import training_state
from experiment.checkpoint import read_checkpoint
from experiment.run_directory import RunDirectory

PREPARE = """
import os, signal, sys, torch
from types import ModuleType
torch.set_num_threads(1)
torch._dynamo = sys.modules["torch._dynamo"] = ModuleType("torch._dynamo")
torch._dynamo.disable = lambda function, *_, **__: function
torch._dynamo.graph_break = lambda: None
import train
from experiment import training_state
from monitoring import film
from envs import Projection
film.LENGTH = film.PATIENCE = 2
training_state.calibrate = lambda *_: Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
"""
"""Spares every process seconds: those of random play, and those in which an optimizer imports
PyTorch's compiler, only to tell it that there is nothing to compile."""
RUN = "sys.exit(train.main(sys.argv[1:]))"
INTERVAL = 32
"""Steps between two checkpoints, two updates of 16 steps each."""
FLAGS = [
    "--num-envs", "2", "--ppo.num-steps", "8", "--ppo.num-minibatches", "2",
    "--model.autoencoder.encoder.channels", "4", "4", "--image-interval", "16",
    "--checkpoint-interval", str(INTERVAL),
]  # fmt: skip
ENDLESS = ["--total-steps", "1000000"]


def start(run_dir: Path, *flags: str, patch: str = "", limit: int = -1) -> subprocess.Popen[str]:
    """A training in a process of its own, with ``patch`` run first and files of ``limit`` bytes."""
    command = [sys.executable, "-c", f"{PREPARE}\n{patch}\n{RUN}"]
    common = ["--run-dir", str(run_dir), "--evaluation-games", "0"]
    return subprocess.Popen(
        [*command, *common, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything printed."""
    printed, _ = process.communicate(timeout=120)
    return process.returncode, printed


def steps(run_dir: Path) -> int:
    """Of the latest checkpoint; 0 if there is none."""
    files = RunDirectory(run_dir).numbered()
    return int(files[-1].stem.removeprefix("steps_")) if files else 0


def wait_for(run_dir: Path, least: int) -> None:
    """Until the latest checkpoint has at least so many steps."""
    deadline = time.monotonic() + 60
    while steps(run_dir) < least:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def learned(run_dir: Path) -> list[int]:
    """Steps of all updates that TensorBoard shows."""
    log = EventAccumulator(str(run_dir / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return [event.step for event in log.Scalars("loss/policy")]


def flags_for(run_dir: Path) -> list[str]:
    return ["--resume"] if steps(run_dir) else [*FLAGS, *ENDLESS]


KILL_IN = {
    "update": ("agent.ppo.PPO.update", 9, 128),
    "save, before the bytes are there": ("os.fsync", 11, 128),
    "save, before the new file has its name": ("pathlib.Path.replace", 6, 128),
    "save, before the name is there for sure": ("os.fsync", 12, 160),
    "save, before the old one is dropped": ("pathlib.Path.unlink", 3, 160),
}
"""The call that never returns, and the steps of the latest checkpoint then. The first file that is
written, with two calls of fsync, is config.json; two checkpoints are kept."""
PATCH = """
import importlib
path, attribute = "{target}".rsplit(".", 1)
try:
    owner = importlib.import_module(path)
except ModuleNotFoundError:
    module, name = path.rsplit(".", 1)
    owner = getattr(importlib.import_module(module), name)
original, calls = getattr(owner, attribute), 0
def fatal(*args, **kwargs):
    global calls
    calls += 1
    if calls == {calls}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
setattr(owner, attribute, fatal)
"""


@pytest.mark.parametrize("moment", KILL_IN)
def test_a_kill_loses_one_interval_at_most(tmp_path: Path, moment: str):
    target, calls, before = KILL_IN[moment]
    process = start(tmp_path, *FLAGS, *ENDLESS, patch=PATCH.format(target=target, calls=calls))
    assert end(process)[0] == -signal.SIGKILL
    assert steps(tmp_path) == before
    code, printed = end(start(tmp_path, "--resume", "--total-steps", str(before + 48)))
    assert code == 0, printed
    assert f"at {before} steps" in printed
    assert "warning" not in printed  # nothing was half-written
    # Every update once, those that were lost and learned again included.
    assert learned(tmp_path) == list(range(16, before + 49, 16))
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_a_kill_in_the_evaluation_loses_nothing(tmp_path: Path):
    patch = "from evaluation import final\n"
    patch += "final.evaluate_agent = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    flags = ["--total-steps", "48", "--evaluation-games", "1"]
    assert end(start(tmp_path, *FLAGS, *flags, patch=patch))[0] == -signal.SIGKILL
    assert steps(tmp_path) == 48
    code, printed = end(start(tmp_path, "--resume", "--total-steps", "64"))
    assert code == 0, printed
    assert learned(tmp_path) == [16, 32, 48, 64]


def kill_and_resume(run_dir: Path, kills: int) -> None:
    """Kill a run at random moments and resume it every time."""
    chance = random.Random(0)
    for _ in range(kills):
        before = steps(run_dir)
        process = start(run_dir, *flags_for(run_dir))
        wait_for(run_dir, before + INTERVAL)
        time.sleep(chance.random())
        number = chance.choice([signal.SIGKILL, signal.SIGTERM])
        reached = steps(run_dir)
        process.send_signal(number)
        code, printed = end(process)
        assert code == (143 if number == signal.SIGTERM else -signal.SIGKILL), printed
        assert steps(run_dir) >= reached
    last = steps(run_dir)
    code, printed = end(start(run_dir, "--resume", "--total-steps", str(last + 16)))
    assert code == 0, printed
    assert learned(run_dir) == list(range(16, last + 17, 16))


def test_random_kills_lose_nothing(tmp_path: Path):
    kill_and_resume(tmp_path, kills=3)


@pytest.mark.long
def test_many_random_kills_lose_nothing(tmp_path: Path):
    kill_and_resume(tmp_path, kills=60)


def test_sigterm_saves_the_update_and_exits_with_143(tmp_path: Path):
    flags = [*FLAGS, *ENDLESS, "--checkpoint-interval", "1000000"]
    process = start(tmp_path, *flags)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "tensorboard").glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code, printed = end(process)
    assert time.monotonic() - sent < 10
    assert code == 143, printed
    assert f"stopped at {steps(tmp_path)} steps" in printed
    assert steps(tmp_path) == learned(tmp_path)[-1] > 0


def test_a_second_run_in_the_same_directory_is_refused_while_the_first_lives(tmp_path: Path):
    first = start(tmp_path, *FLAGS, *ENDLESS)
    wait_for(tmp_path, INTERVAL)
    for flags in (["--resume"], FLAGS):
        code, printed = end(start(tmp_path, *flags))
        assert code == 2
        assert f"run_dir {tmp_path} is in use by process {first.pid}" in printed
    first.kill()
    end(first)
    code, printed = end(start(tmp_path, "--resume", "--total-steps", "16"))
    assert code == 0, printed


def test_a_full_disk_keeps_the_old_checkpoint_and_the_training_goes_on(tmp_path: Path):
    assert end(start(tmp_path, *FLAGS, "--total-steps", "32"))[0] == 0
    (old,) = RunDirectory(tmp_path).numbered()
    content = old.read_bytes()
    # Events fit, checkpoints do not.
    limit = len(content) // 2
    code, printed = end(start(tmp_path, "--resume", "--total-steps", "96", limit=limit))
    assert code == 1, printed
    assert printed.count("cannot be written: File too large") == 3  # two on the way, one at the end
    assert "Traceback" not in printed
    assert f"the latest checkpoint is {old}" in printed
    assert learned(tmp_path)[-1] == 96
    assert RunDirectory(tmp_path).numbered() == [old]
    assert old.read_bytes() == content
    assert [path.name for path in old.parent.iterdir() if path.name.startswith(".")] == []
    assert end(start(tmp_path, "--resume", "--total-steps", "64"))[0] == 0
    assert steps(tmp_path) == 64


def test_a_damaged_latest_checkpoint_is_named_set_aside_and_trained_again(tmp_path: Path):
    assert end(start(tmp_path, *FLAGS, "--total-steps", "64"))[0] == 0
    older, newer = RunDirectory(tmp_path).numbered()
    damaged = newer.read_bytes()[:-1000]
    newer.write_bytes(damaged)
    code, printed = end(start(tmp_path, "--resume"))
    assert code == 0, printed
    assert f"warning: {newer}: damaged or not a checkpoint" in printed
    assert f"resuming {older} at 32 steps" in printed
    assert newer.with_suffix(".unusable").read_bytes() == damaged
    assert steps(tmp_path) == 64
    for path in RunDirectory(tmp_path).numbered():
        path.write_bytes(b"")
    code, printed = end(start(tmp_path, "--resume"))
    assert code == 2
    assert "no older one is there" in printed


def test_an_emulator_s_failure_surfaces_with_its_cause_and_loses_no_checkpoint(tmp_path: Path):
    patch = """
from ale_py.vector_env import AtariVectorEnv
step, calls = AtariVectorEnv.step, 0
def failing(self, actions):
    global calls
    calls += 1
    if calls > 90:
        raise OSError("the emulator is gone")
    return step(self, actions)
AtariVectorEnv.step = failing
"""
    started = time.monotonic()
    code, printed = end(start(tmp_path, *FLAGS, *ENDLESS, patch=patch))
    assert time.monotonic() - started < 60
    assert code == 1
    assert "OSError: the emulator is gone" in printed
    assert steps(tmp_path) == 64  # 90 steps of the two halves are five updates


def test_a_game_that_hangs_ends_the_run_with_its_cause_and_loses_nothing(tmp_path: Path):
    # ALE itself does so after an error in one of its threads.
    patch = """
import time
from agent import threads
from ale_py.vector_env import AtariVectorEnv
threads.LOOK, threads.PATIENCE, threads.FAREWELL = 0.1, 10, 0.1
step, calls = AtariVectorEnv.step, 0
def hanging(self, actions):
    global calls
    calls += 1
    if calls > 90:
        time.sleep(600)
    return step(self, actions)
AtariVectorEnv.step = hanging
"""
    code, printed = end(start(tmp_path, *FLAGS, *ENDLESS, patch=patch))
    assert code == 1
    assert "error: a game has not answered for 1 seconds; saved " in printed
    assert "Traceback" not in printed
    assert steps(tmp_path) == learned(tmp_path)[-1] == 80  # all five updates
    code, printed = end(start(tmp_path, "--resume", "--total-steps", "96"))
    assert code == 0, printed


@pytest.mark.parametrize("where", ["film", pytest.param("calibration", marks=pytest.mark.long)])
def test_a_game_that_hangs_beside_the_training_ends_the_run_too(tmp_path: Path, where: str):
    patch = """
import time
from agent import threads
from envs import single, vector
threads.LOOK, threads.PATIENCE, threads.FAREWELL = 0.1, 10, 0.1
def hanging(*_):
    time.sleep(600)
"""
    patch += {
        "film": "single.SingleEnv.step = hanging",
        "calibration": "training_state.calibrate = hanging",
    }[where]
    code, printed = end(start(tmp_path, *FLAGS, "--total-steps", "32", patch=patch))
    assert code == 1
    assert "error: a game has not answered for 1 seconds" in printed
    assert "Traceback" not in printed
    assert steps(tmp_path) == (32 if where == "film" else 0)


def test_a_run_directory_that_goes_away_costs_the_curves_alone(tmp_path: Path):
    run_dir = tmp_path / "run"
    process = start(run_dir, *FLAGS, *ENDLESS)
    wait_for(run_dir, INTERVAL)
    run_dir.rename(tmp_path / "elsewhere")
    wait_for(run_dir, INTERVAL)
    process.send_signal(signal.SIGTERM)
    code, printed = end(process)
    assert code == 143, printed
    assert printed.count("warning: ") == 1
    assert "warning: TensorBoard's events end here: No such file or directory" in printed
    assert "Traceback" not in printed
    assert steps(run_dir) > 0
    code, printed = end(start(run_dir, "--resume", "--total-steps", "16"))
    assert code == 0, printed


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    flags = [*FLAGS, *ENDLESS, "--seed", "7", "--checkpoint-interval", "1000000"]
    patch = PATCH.format(target="agent.ppo.PPO.update", calls=3)
    assert end(start(tmp_path, *flags, patch=patch))[0] == -signal.SIGKILL
    assert not (tmp_path / "checkpoints").exists()
    assert learned(tmp_path) == [16, 32]
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    monkeypatch.setattr(training_state, "calibrate", lambda *_: projection)
    more = ["--evaluation-games", "0", "--total-steps", "48"]
    assert train.main(["--run-dir", str(tmp_path), "--resume", *more]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path} has no checkpoint yet, so its training starts again" in printed
    assert learned(tmp_path) == [16, 32, 48]  # once each
    # What it trains is what it would have been.
    other = tmp_path / "other"
    assert train.main(["--run-dir", str(other), *flags, *more]) == 0
    one, same = (read_checkpoint(RunDirectory(path).numbered()[-1]) for path in (tmp_path, other))
    assert all(torch.equal(one.tensors[name], same.tensors[name]) for name in one.tensors)
