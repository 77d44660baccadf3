"""The command line end to end, on the real game, in this process."""

import json
import math
import signal
from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluate
import train
from agent import checkpoint as checkpoints
from agent import ppo
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.collector import Collector
from agent.errors import UserError
from agent.evaluation import EVALUATION_SEED
from agent.monitor import Monitor
from agent.ppo import PPO, NonFiniteLossError
from config import parse
from encoders import ArtifactDetector, ArtifactDetectorConfig, ArtifactWeightsConfig
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, Projection

TINY = [
    "--num-envs", "2", "--ppo.num-steps", "8", "--ppo.num-minibatches", "2",
    "--model.encoder.channels", "4", "4", "--image-interval", "16",
    "--checkpoint-interval", "16",
]  # fmt: skip
"""16 agent steps an update, two optimizer steps each."""


PROJECTION = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))


@pytest.fixture(autouse=True)
def calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare every run the seconds of random play; calibration has a test of its own."""
    monkeypatch.setattr(train, "calibrate", lambda *_: PROJECTION)


def run(run_dir: Path, *flags: str) -> int:
    return train.main(["--run-dir", str(run_dir), "--evaluation-games", "0", *flags])


def events(run_dir: Path) -> EventAccumulator:
    log_dir = str(run_dir / "tensorboard")
    return EventAccumulator(log_dir, size_guidance={"scalars": 0, "images": 0}).Reload()


def test_a_tiny_run_leaves_everything_and_evaluate_reads_it(tmp_path: Path, capsys):
    run_dir = tmp_path / "run"
    assert run(run_dir, *TINY, "--total-steps", "64", "--evaluation-games", "1") == 0
    out = capsys.readouterr().out
    assert "train.py --run-dir" in out
    assert json.loads((run_dir / "config.json").read_text())["total_steps"] == 64
    found = events(run_dir)
    assert [event.step for event in found.Scalars("loss/reconstruction")] == [16, 32, 48, 64]
    assert [event.step for event in found.Images("reconstruction/samples")] == [16, 32, 48, 64]
    result = json.loads((run_dir / "evaluation.json").read_text())
    assert len(result["scores"]) == result["episodes"] == 1
    assert result["steps"] == 64

    # evaluate.py with the same seed plays the same game, and films it.
    output, video = tmp_path / "result.json", tmp_path / "game.mp4"
    flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--seed", str(EVALUATION_SEED)]
    assert evaluate.main([*flags, "--json", str(output), "--video", str(video)]) == 0
    again = json.loads(output.read_text())
    assert min(again.pop("seconds"), result.pop("seconds")) > 0
    assert again == result
    frames, size = read_video(video)
    assert frames == result["lengths"][0]  # one per step of the first game
    assert size == ((160 + 3 * 144) * 2, 18 + 210 * 2)


def read_video(path: Path) -> tuple[int, tuple[int, int]]:
    """Number of frames and (width, height)."""
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    reader = imageio_ffmpeg.read_frames(str(path))
    size = next(reader)["size"]
    reader.close()
    return frames, size


def test_resume_continues_counters_optimizer_and_curves(tmp_path: Path, capsys):
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    first = checkpoints.load(tmp_path)
    assert first.state["counters"]["updates"] == 2
    assert run(tmp_path, "--resume", "--total-steps", "64") == 0
    assert "resuming" in capsys.readouterr().out
    second = checkpoints.load(tmp_path)
    assert second.state["counters"]["steps"] == 64
    assert second.state["counters"]["updates"] == 4
    assert second.state["counters"]["seconds"] > first.state["counters"]["seconds"]
    steps = [c.tensors["optimizer.0.step"].item() for c in (first, second)]
    assert steps == [2 * 2, 4 * 2]  # optimizer steps: updates x minibatches
    assert not torch.equal(first.tensors["rng.cpu"], second.tensors["rng.cpu"])
    found = events(tmp_path).Scalars("loss/policy")
    assert [event.step for event in found] == [16, 32, 48, 64]


def test_every_resumption_and_every_seed_plays_other_games(tmp_path: Path, monkeypatch):
    seeds = [train.game_seed(seed, updates) for seed in range(40) for updates in range(40)]
    assert len(set(seeds)) == 1600
    played: list[int] = []

    class Recorded(Collector):
        def __init__(self, *args) -> None:
            played.append(args[-1])
            super().__init__(*args)

    monkeypatch.setattr(train, "Collector", Recorded)
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    assert run(tmp_path, "--resume", "--total-steps", "48") == 0
    assert played == [train.game_seed(1, 0), train.game_seed(1, 2)]


def test_a_run_can_be_resumed_again_and_again(tmp_path: Path):
    assert run(tmp_path, *TINY, "--total-steps", "16") == 0
    for steps in (32, 48):
        assert run(tmp_path, "--resume", "--total-steps", str(steps)) == 0
        assert checkpoints.load(tmp_path).state["counters"]["steps"] == steps


def test_a_run_that_went_on_meanwhile_is_not_resumed_from_its_past(tmp_path: Path):
    # What was loaded before the directory was ours may be old by then.
    assert run(tmp_path, *TINY, "--total-steps", "16") == 0
    config, stale = parse(["--run-dir", str(tmp_path), "--resume", "--total-steps", "64"])
    assert run(tmp_path, "--resume", "--total-steps", "32") == 0
    with pytest.raises(UserError, match="was trained on just now; resume once more"):
        train.claim(config, stale)
    assert run(tmp_path, "--resume", "--total-steps", "48") == 0  # the lock was released


def test_after_a_crash_the_curves_have_no_double_steps(tmp_path: Path):
    assert run(tmp_path, *TINY, "--total-steps", "48") == 0
    checkpoints.numbered(tmp_path)[-1].unlink()  # as if it had died just before this one
    assert run(tmp_path, "--resume", "--total-steps", "64") == 0
    found = events(tmp_path).Scalars("loss/policy")
    assert [event.step for event in found] == [16, 32, 48, 64]


def test_ctrl_c_finishes_the_update_saves_and_says_how_to_go_on(
    tmp_path: Path, capsys, monkeypatch
):
    scalars = Monitor.scalars

    def interrupt(self, metrics, steps):
        scalars(self, metrics, steps)
        if steps == 32:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Monitor, "scalars", interrupt)
    before = signal.getsignal(signal.SIGINT)
    assert run(tmp_path, *TINY, "--total-steps", "64", "--checkpoint-interval", "1000") == 0
    assert signal.getsignal(signal.SIGINT) is before
    assert f"train.py --run-dir {tmp_path} --resume" in capsys.readouterr().out
    assert checkpoints.load(tmp_path).state["counters"]["steps"] == 32


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_in_the_last_update_skips_the_evaluation(
    tmp_path: Path, monkeypatch, number: signal.Signals, code: int
):
    scalars = Monitor.scalars

    def interrupt(self, metrics, steps):
        scalars(self, metrics, steps)
        if steps == 32:
            signal.raise_signal(number)

    monkeypatch.setattr(Monitor, "scalars", interrupt)
    assert run(tmp_path, *TINY, "--total-steps", "32", "--evaluation-games", "1") == code
    assert checkpoints.load(tmp_path).state["counters"]["steps"] == 32
    assert not (tmp_path / "evaluation.json").exists()


def test_a_resumption_knows_the_best_by_the_file_that_is_there(tmp_path: Path):
    # Whatever the counters of the checkpoint say: it may be older or newer than the best one.
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    assert train.best_score(tmp_path) == 0.0
    latest = checkpoints.load(tmp_path)
    latest.state["counters"]["best"] = 2000.0
    checkpoints.save_best(tmp_path, latest.tensors, latest.state)
    assert run(tmp_path, "--resume", "--total-steps", "64") == 0
    assert checkpoints.load(tmp_path).state["counters"]["best"] == 2000.0


def test_losses_that_stay_infinite_end_the_run_with_its_last_checkpoint(
    tmp_path: Path, capsys, monkeypatch
):
    # Two updates learn; from then on every advantage is not a number.
    advantages, calls = ppo.generalized_advantages, 0

    def broken(*arguments):
        nonlocal calls
        calls += 1
        return advantages(*arguments) * (math.nan if calls > 2 else 1.0)

    monkeypatch.setattr(ppo, "generalized_advantages", broken)
    assert run(tmp_path, *TINY, "--total-steps", "160", "--ppo.max-skipped", "5") == 1
    error = capsys.readouterr().err
    assert "5 minibatches in a row" in error
    assert "last good checkpoint: " in error
    assert error.count("\n") == 1
    good = checkpoints.load(tmp_path)
    assert good.state["counters"]["steps"] == 64  # the bad updates 3 and 4 changed nothing
    assert all(value.isfinite().all() for value in good.tensors.values())


def test_a_second_ctrl_c_quits_at_once(tmp_path: Path, monkeypatch):
    def interrupt_twice(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Monitor, "scalars", interrupt_twice)
    assert run(tmp_path, *TINY, "--total-steps", "64") == 130


def test_a_nan_loss_names_the_last_good_checkpoint(tmp_path: Path, capsys, monkeypatch):
    update = PPO.update

    def fail(self, rollout, steps, progress):
        if steps == 32:
            raise NonFiniteLossError("loss nan")
        return update(self, rollout, steps, progress)

    monkeypatch.setattr(PPO, "update", fail)
    assert run(tmp_path, *TINY, "--total-steps", "64") == 1
    error = capsys.readouterr().err
    assert "loss nan" in error
    assert "steps_000000000032.safetensors" in error
    assert checkpoints.load(tmp_path).state["counters"]["steps"] == 32


def test_a2c_has_defaults_of_its_own_and_trains(tmp_path: Path):
    config, _ = parse(["--algorithm", "a2c", "--ppo.gamma", "0.98"])
    assert (config.ppo.num_epochs, config.ppo.num_minibatches, config.ppo.num_steps) == (1, 1, 8)
    assert config.ppo.gamma == 0.98
    flags = ["--algorithm=a2c", "--num-envs", "2", "--total-steps", "16"]
    assert run(tmp_path, *flags, "--model.encoder.channels", "4", "4") == 0
    found = events(tmp_path)
    assert found.Scalars("policy/kl")[0].value == pytest.approx(0.0, abs=1e-6)


def test_resume_refuses_what_would_change_the_training(tmp_path: Path, capsys):
    assert run(tmp_path, *TINY, "--total-steps", "16") == 0
    before = (tmp_path / "config.json").read_text()
    for flags, message in (
        (["--seed", "7"], "seed cannot change on resume: the run has 1, got 7"),
        (["--ppo.gamma", "0.5"], "ppo.gamma cannot change on resume: the run has 0.99, got 0.5"),
    ):
        assert run(tmp_path, "--resume", *flags) == 2
        printed = capsys.readouterr()
        assert message in printed.out + printed.err
    with pytest.raises(SystemExit, match="2"):  # refused by the config itself
        run(tmp_path, "--resume", "--algorithm", "a2c")
    assert "algorithm a2c needs" in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert (tmp_path / "config.json").read_text() == before
    # What may change does: more steps with other numbers of games.
    assert run(tmp_path, "--resume", "--total-steps", "48", "--num-envs", "4") == 0
    assert checkpoints.load(tmp_path).state["counters"]["steps"] == 48


def test_the_video_shows_weights_on_one_scale(tmp_path: Path, monkeypatch):
    # A frame without artifacts is dark, a knife's region is white-hot, whatever else is in view.
    frames: list[np.ndarray] = []
    fake = SimpleNamespace(append_data=frames.append, close=lambda: None)
    monkeypatch.setattr(evaluate.imageio, "get_writer", lambda *_, **__: fake)
    envs = SimpleNamespace(render=lambda: (np.zeros((210, 160, 3), np.uint8),))
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, ActorCriticConfig())
    detector, weights = ArtifactDetector(ArtifactDetectorConfig()), ArtifactWeightsConfig()
    recorder = evaluate.Recorder(tmp_path / "game.mp4", envs, model, detector, weights)
    obs = np.full((1, *OBSERVATION_SHAPE), 128, np.uint8)
    recorder.step(obs, [0])
    obs[0, -1, 30:32, 70:75] = 255
    recorder.step(obs, [0])
    recorder.step(obs, [1])  # the first game is over
    empty, knife = (frame[18:146, -288:].sum(axis=2) for frame in frames)
    assert empty.max() < 100
    assert knife[62, 144] == 3 * 255
    assert knife[0, 0] > empty[0, 0]
