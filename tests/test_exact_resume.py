"""What a resumption continues exactly, bit for bit.

The games cannot be saved: a resumption plays new ones, from a seed made of the run's seed and the
number of updates. So the run that is not interrupted is given the same new games at the same
update, and nothing else; then every parameter, moment, statistic and random state must agree.
"""

import signal
from pathlib import Path

import pytest
import torch

import train
from agent.collector import Collector
from envs import Projection
from experiment import training_state
from experiment.checkpoint import Checkpoint, capture
from experiment.config import TrainConfig
from experiment.run_directory import load_checkpoint
from monitoring.monitor import Monitor

FLAGS = [
    "--num-envs", "2", "--ppo.num-steps", "8", "--ppo.num-minibatches", "2",
    "--model.autoencoder.encoder.channels", "4", "4",
    "--evaluation-games", "0", "--total-steps", "96",
]  # fmt: skip
"""16 agent steps an update."""
STOP = 48
"""Steps after which one of the runs is interrupted."""
PROJECTION = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))


@pytest.fixture(autouse=True)
def calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_state, "calibrate", lambda *_: PROJECTION)


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def interrupted(run_dir: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Checkpoint:
    """Train to STOP as Ctrl-C would, and resume in what might be another process."""
    with monkeypatch.context() as patch:
        remember = Monitor.remember

        def interrupt(self, rollout) -> None:
            nonlocal updates
            remember(self, rollout)
            updates += 1
            if updates == STOP // 16:
                signal.raise_signal(signal.SIGINT)

        updates = 0
        patch.setattr(Monitor, "remember", interrupt)
        assert train.main(["--run-dir", str(run_dir), *FLAGS, *flags]) == 0
    assert load_checkpoint(run_dir).state["statistics"]["steps"] == STOP
    torch.manual_seed(12345)  # another process has drawn nothing, or something else
    assert train.main(["--run-dir", str(run_dir), "--resume"]) == 0
    return load_checkpoint(run_dir)


def in_one_go(run_dir: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Checkpoint:
    """Train without a stop, but with new games after STOP."""
    init, collect, updates = Collector.__init__, Collector.collect, 0
    arguments = []

    def remember(self, *args, **settings) -> None:
        arguments[:] = args
        init(self, *args, **settings)

    def renew(self):
        nonlocal updates
        if updates == STOP // 16:
            *others, _ = arguments
            init(self, *others, TrainConfig(seed=1).game_seed(updates))
        updates += 1
        return collect(self)

    with monkeypatch.context() as patch:
        patch.setattr(Collector, "__init__", remember)
        patch.setattr(Collector, "collect", renew)
        assert train.main(["--run-dir", str(run_dir), *FLAGS, *flags]) == 0
    return load_checkpoint(run_dir)


def differing(one: Checkpoint, other: Checkpoint) -> list[str]:
    """Names of tensors and statistics, time aside."""
    assert one.tensors.keys() == other.tensors.keys()
    pairs = zip(one.state["statistics"].items(), other.state["statistics"].values(), strict=True)
    return [
        *(name for name in one.tensors if not torch.equal(one.tensors[name], other.tensors[name])),
        *(name for (name, value), found in pairs if name != "seconds" and value != found),
    ]


@pytest.mark.parametrize("tracks", ["0", "3"])
def test_stopping_and_resuming_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracks: str
):
    flags = ("--model.autoencoder.locator.count", tracks)
    whole = in_one_go(tmp_path / "whole", monkeypatch, *flags)
    assert differing(whole, interrupted(tmp_path / "parts", monkeypatch, *flags)) == []


@pytest.mark.parametrize("lost", ["rng.cpu", "optimizer", "model.autoencoder.normalizer"])
def test_a_checkpoint_that_lost_something_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
):
    # The negative control: what is tested above can fail.
    whole = in_one_go(tmp_path / "whole", monkeypatch)
    restore = training_state.restore

    def forgetful(checkpoint, model, optimizer) -> None:
        fresh = capture(model, optimizer)
        kept = {
            name: value if not name.startswith(lost) else fresh.get(name, torch.zeros_like(value))
            for name, value in checkpoint.tensors.items()
        }
        restore(checkpoint._replace(tensors=kept), model, optimizer)

    monkeypatch.setattr(training_state, "restore", forgetful)
    assert differing(whole, interrupted(tmp_path / "parts", monkeypatch))
