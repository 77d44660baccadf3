"""The command line end to end, on the real game, in this process."""

import json
import math
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluate
import train
from agent import ppo
from agent.collector import Collector
from agent.ppo import PPO, NonFiniteLossError
from agent.ranks import Ranks
from envs import Projection
from evaluation.games import EVALUATION_SEED
from evaluation.tables import markdown
from experiment import training_state
from experiment.checkpoint import write_checkpoint
from experiment.command_line import install_command, parse
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.run_directory import RunDirectory, load_checkpoint
from monitoring.monitor import Monitor

TINY = [
    "--num-envs", "2", "--ppo.num-steps", "8", "--ppo.num-minibatches", "2",
    "--model.autoencoder.encoder.channels", "4", "4", "--image-interval", "16",
    "--film-interval", "40", "--checkpoint-interval", "16",
]  # fmt: skip
"""16 agent steps an update, two optimizer steps each."""


PROJECTION = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))


@pytest.fixture(autouse=True)
def calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare every run the seconds of random play; calibration has a test of its own."""
    monkeypatch.setattr(training_state, "calibrate", lambda *_: PROJECTION)


def run(run_dir: Path, *flags: str) -> int:
    return train.main(["--run-dir", str(run_dir), "--evaluation-games", "0", *flags])


def events(run_dir: Path) -> EventAccumulator:
    log_dir = str(run_dir / "tensorboard")
    everything = {"scalars": 0, "images": 0, "histograms": 0}
    return EventAccumulator(log_dir, size_guidance=everything).Reload()


def test_a_training_keeps_as_many_cores_busy_as_told(tmp_path: Path, monkeypatch):
    seen: list[tuple[int, int]] = []

    def parts(*arguments: Any) -> None:
        seen.append((arguments[-1], torch.get_num_threads()))
        raise UserError("enough")

    monkeypatch.setattr(train, "make_env_parts", parts)
    before = torch.get_num_threads()
    try:
        assert train.main(["--run-dir", str(tmp_path), *TINY, "--threads", "3"]) == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [(3, 3)]


def test_a_tiny_run_leaves_everything_and_evaluate_reads_it(tmp_path: Path, capsys):
    run_dir = tmp_path / "run"
    assert run(run_dir, *TINY, "--total-steps", "64", "--evaluation-games", "1") == 0
    out = capsys.readouterr().out
    assert "train.py --run-dir" in out
    assert json.loads((run_dir / "config.json").read_text())["total_steps"] == 64
    found = events(run_dir)
    assert [event.step for event in found.Scalars("loss/reconstruction")] == [16, 32, 48, 64]
    without = found.Images("reconstruction/without_artifact")
    assert [event.step for event in without] == [16, 32, 48, 64]
    assert [event.step for event in found.Images("game/film")] == [48, 64]  # and at the end
    assert [event.step for event in found.Histograms("latent/activations")] == [16, 32, 48, 64]
    assert (run_dir / "tensorboard" / "projector_config.pbtxt").exists()
    text = found.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "train.py --run-dir" in text
    result = json.loads((run_dir / "evaluation.json").read_text())
    assert found.Scalars("Final/score")[0].value == result["mean"]
    assert len(result["scores"]) == result["episodes"] == 1
    assert result["steps"] == 64

    # evaluate.py with another seed plays another game, with the same one the same, and films it.
    other = tmp_path / "other.json"
    flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--seed", "5", "--json", str(other)]
    assert evaluate.main(flags) == 0
    assert json.loads(other.read_text())[0]["lengths"] != result["lengths"]
    output, video, page = (tmp_path / name for name in ("result.json", "game.mp4", "result.md"))
    flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--seed", str(EVALUATION_SEED)]
    flags += ["--json", str(output), "--video", str(video), "--markdown", str(page)]
    assert evaluate.main(flags) == 0
    (again,) = json.loads(output.read_text())
    assert page.read_text() == markdown([again])
    assert sum(result["facts"][0]["lives_lost"].values()) == 4
    assert min(again.pop("seconds"), result.pop("seconds")) > 0
    assert again == result
    frames, size = read_video(video)
    assert frames == result["lengths"][0]  # one per step of the first game
    assert size == ((160 + 144) * 2, 3 * (24 + 64 * 2))
    # H.264 with the pixel format that browsers play.
    described = next(imageio_ffmpeg.read_frames(str(video)))
    assert described["codec"] == "h264"
    assert described["pix_fmt"].startswith("yuv420p")


def read_video(path: Path) -> tuple[int, tuple[int, int]]:
    """Number of frames and (width, height)."""
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    reader = imageio_ffmpeg.read_frames(str(path))
    size = next(reader)["size"]
    reader.close()
    return frames, size


def test_resume_continues_counters_optimizer_and_curves(tmp_path: Path, capsys):
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    first = load_checkpoint(tmp_path)
    assert first.state["statistics"]["updates"] == 2
    assert run(tmp_path, "--resume", "--total-steps", "64") == 0
    assert "resuming" in capsys.readouterr().out
    second = load_checkpoint(tmp_path)
    assert second.state["statistics"]["steps"] == 64
    assert second.state["statistics"]["updates"] == 4
    assert second.state["statistics"]["seconds"] > first.state["statistics"]["seconds"]
    steps = [c.tensors["optimizer.0.step"].item() for c in (first, second)]
    assert steps == [2 * 2, 4 * 2]  # optimizer steps: updates x minibatches
    assert not torch.equal(first.tensors["rng.cpu"], second.tensors["rng.cpu"])
    found = events(tmp_path).Scalars("loss/policy")
    assert [event.step for event in found] == [16, 32, 48, 64]


def test_every_resumption_and_every_seed_plays_other_games(tmp_path: Path, monkeypatch):
    seeds = [
        TrainConfig(seed=seed).game_seed(updates) for seed in range(40) for updates in range(40)
    ]
    assert len(set(seeds)) == 1600
    played: list[int] = []

    class Recorded(Collector):
        def __init__(self, *args, **settings) -> None:
            played.append(args[-1])
            super().__init__(*args, **settings)

    monkeypatch.setattr(train, "Collector", Recorded)
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    assert run(tmp_path, "--resume", "--total-steps", "48") == 0
    assert played == [TrainConfig(seed=1).game_seed(0), TrainConfig(seed=1).game_seed(2)]


def test_a_run_can_be_resumed_again_and_again(tmp_path: Path):
    assert run(tmp_path, *TINY, "--total-steps", "16") == 0
    for steps in (32, 48):
        assert run(tmp_path, "--resume", "--total-steps", str(steps)) == 0
        assert load_checkpoint(tmp_path).state["statistics"]["steps"] == steps


def test_a_run_that_went_on_meanwhile_is_not_resumed_from_its_past(tmp_path: Path):
    # What was loaded before the directory was ours may be old by then.
    assert run(tmp_path, *TINY, "--total-steps", "16") == 0
    config, stale = parse(["--run-dir", str(tmp_path), "--resume", "--total-steps", "64"])
    assert run(tmp_path, "--resume", "--total-steps", "32") == 0
    with pytest.raises(UserError, match="was trained on just now; resume once more"):
        train.train(config, torch.device("cpu"), stale, Ranks())
    assert run(tmp_path, "--resume", "--total-steps", "48") == 0  # the lock was released


def test_after_a_crash_the_curves_have_no_double_steps(tmp_path: Path):
    assert run(tmp_path, *TINY, "--total-steps", "48") == 0
    RunDirectory(tmp_path).numbered()[-1].unlink()  # as if it had died just before this one
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
    assert load_checkpoint(tmp_path).state["statistics"]["steps"] == 32


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_in_the_last_update_skips_the_evaluation(
    tmp_path: Path, monkeypatch, number: signal.Signals, code: int
):
    scalars = Monitor.scalars

    def interrupt(self, metrics, steps):
        scalars(self, metrics, steps)
        if steps == 32 and "loss/policy" in metrics:
            signal.raise_signal(number)

    monkeypatch.setattr(Monitor, "scalars", interrupt)
    assert run(tmp_path, *TINY, "--total-steps", "32", "--evaluation-games", "1") == code
    assert load_checkpoint(tmp_path).state["statistics"]["steps"] == 32
    assert not (tmp_path / "evaluation.json").exists()


def test_a_resumption_knows_the_best_by_the_file_that_is_there(tmp_path: Path):
    # Whatever the statistics of the checkpoint say: it may be older or newer than the best one.
    assert run(tmp_path, *TINY, "--total-steps", "32") == 0
    best = RunDirectory(tmp_path).best
    assert not best.exists()
    latest = load_checkpoint(tmp_path)
    latest.state["statistics"]["best"] = 2000.0
    write_checkpoint(best, latest.tensors, latest.state)
    assert run(tmp_path, "--resume", "--total-steps", "64") == 0
    assert load_checkpoint(tmp_path).state["statistics"]["best"] == 2000.0


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
    good = load_checkpoint(tmp_path)
    assert good.state["statistics"]["steps"] == 64  # the bad updates 3 and 4 changed nothing
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
    assert load_checkpoint(tmp_path).state["statistics"]["steps"] == 32


def test_a2c_has_defaults_of_its_own_and_trains(tmp_path: Path):
    config, _ = parse(["--algorithm", "a2c", "--ppo.gamma", "0.98"])
    assert (config.ppo.num_epochs, config.ppo.num_minibatches, config.ppo.num_steps) == (1, 1, 8)
    assert config.ppo.gamma == 0.98
    flags = ["--algorithm=a2c", "--num-envs", "2", "--total-steps", "16"]
    assert run(tmp_path, *flags, "--model.autoencoder.encoder.channels", "4", "4") == 0
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
    assert load_checkpoint(tmp_path).state["statistics"]["steps"] == 48


def test_a_video_holds_the_first_game_only(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(evaluate, "MAX_PARALLEL", 1)  # two games, one after the other
    short = ["--env.max-episode-frames", "400"]
    assert run(tmp_path / "a", *TINY, *short, "--total-steps", "16") == 0
    video, output = tmp_path / "game.mp4", tmp_path / "result.json"
    flags = ["--checkpoint", str(tmp_path / "a"), "--episodes", "2", "--json", str(output)]
    assert evaluate.main([*flags, "--video", str(video)]) == 0
    assert json.loads(output.read_text())[0]["lengths"] == [100, 100]
    assert read_video(video)[0] == 100


def test_a_video_that_cannot_be_written_leaves_the_old_one_and_the_scores(
    tmp_path: Path, capsys, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    assert run(tmp_path, *TINY, "--env.max-episode-frames", "400", "--total-steps", "16") == 0
    video, output = tmp_path / "game.mp4", tmp_path / "result.json"
    video.write_bytes(b"old")
    flags = ["--checkpoint", str(tmp_path), "--episodes", "1", "--video", str(video)]
    with monkeypatch.context() as patch:  # where it is written
        patch.setattr("os.fsync", full)
        assert evaluate.main(flags) == 1
    printed = capsys.readouterr()
    assert printed.err == f"error: {video} cannot be written: No space left on device\n"
    assert "mean score" in printed.out
    writer = SimpleNamespace(append_data=full, close=lambda: None)  # where ffmpeg makes it
    monkeypatch.setattr("evaluation.video.imageio.get_writer", lambda *_, **__: writer)
    assert evaluate.main([*flags, "--json", str(output)]) == 1
    error = capsys.readouterr().err
    assert error == f"error: {video} cannot be written: ffmpeg could not make the video\n"
    assert json.loads(output.read_text())[0]["episodes"] == 1
    assert video.read_bytes() == b"old"


def test_a_picture_that_cannot_be_drawn_costs_neither_the_run_nor_the_scores(
    tmp_path: Path, capsys, monkeypatch
):
    def broken(*_: object) -> None:
        # Whatever happens here, what was learned is on the disk already.
        saved.append([path.name for path in RunDirectory(tmp_path).numbered()])
        raise IndexError("no such row")

    saved: list[list[str]] = []
    for name in ("sample_column", "square", "latent_metrics"):
        monkeypatch.setattr(f"monitoring.monitor.{name}", broken)
    monkeypatch.setattr("monitoring.agent_view.agent_view", broken)
    short = ["--env.max-episode-frames", "400", "--evaluation-games", "1"]
    assert run(tmp_path, *TINY, *short, "--total-steps", "16") == 0
    assert saved == [["steps_000000000016.safetensors"]] * 4
    assert (tmp_path / "evaluation.json").exists()
    printed = capsys.readouterr().out
    for what in ("the reconstructions", "the latents", "the film", "the projector's points"):
        assert f"warning: {what} cannot be drawn: IndexError: no such row" in printed
    assert len(events(tmp_path).Scalars("loss/policy")) == 1
    output, video = tmp_path / "result.json", tmp_path / "game.mp4"
    flags = ["--checkpoint", str(tmp_path), "--episodes", "1", "--json", str(output)]
    assert evaluate.main([*flags, "--video", str(video)]) == 1
    assert json.loads(output.read_text())[0]["lengths"] == [100]
    printed = capsys.readouterr()
    assert f"warning: the video {video} ends here: no such row" in printed.out
    assert printed.err == f"error: {video} cannot be written: ffmpeg could not make the video\n"


def test_a_damaged_latest_checkpoint_is_named_and_the_one_before_is_judged(tmp_path: Path, capsys):
    assert run(tmp_path, *TINY, "--env.max-episode-frames", "400", "--total-steps", "32") == 0
    latest = RunDirectory(tmp_path).numbered()[-1]
    latest.write_bytes(b"damaged")
    assert evaluate.main(["--checkpoint", str(tmp_path), "--episodes", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"warning: {latest}: damaged" in printed
    assert "steps_000000000016.safetensors: playing 1 whole games" in printed


def test_several_checkpoints_are_judged_side_by_side(tmp_path: Path, capsys):
    assert run(tmp_path / "a", *TINY, "--total-steps", "32") == 0
    first, second = RunDirectory(tmp_path / "a").numbered()
    output = tmp_path / "both.json"
    flags = ["--checkpoint", str(first), str(second), "--episodes", "1", "--json", str(output)]
    assert evaluate.main(flags) == 0
    reports = json.loads(output.read_text())
    assert [report["name"] for report in reports] == [str(first), str(second)]
    assert [report["steps"] for report in reports] == [16, 32]
    assert "against the first" in capsys.readouterr().out


def test_watching_shows_every_step_of_the_game_in_a_window(tmp_path: Path, monkeypatch):
    # SDL's dummy driver is a window that nobody sees; its surface can be read all the same.
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(evaluate, "check_display", lambda: None)
    shown: list[tuple[int, int]] = []
    pygame = pytest.importorskip("pygame")
    monkeypatch.setattr(
        pygame.display, "flip", lambda: shown.append(pygame.display.get_surface().get_size())
    )
    monkeypatch.setattr(pygame.time, "Clock", lambda: SimpleNamespace(tick=lambda _: None))
    assert run(tmp_path, *TINY, "--total-steps", "16", "--env.max-episode-frames", "400") == 0
    assert evaluate.main(["--checkpoint", str(tmp_path), "--episodes", "2", "--watch"]) == 0
    assert shown == [(608, 456)] * 2 * 101  # each reset and step


def test_watching_without_a_display_is_refused(tmp_path: Path, monkeypatch, capsys):
    pytest.importorskip("pygame").display.quit()
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert evaluate.main(["--checkpoint", str(tmp_path), "--watch"]) == 2
    assert "watch needs a display" in capsys.readouterr().err


def test_watching_without_pygame_names_the_extra(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pygame", None)
    assert evaluate.main(["--checkpoint", str(tmp_path), "--watch"]) == 2
    assert capsys.readouterr().err == f"error: watch needs pygame: {install_command('watch')}\n"


def test_a_run_without_a_checkpoint_keeps_its_settings_when_it_starts_again(tmp_path: Path, capsys):
    config = TrainConfig(run_dir=tmp_path, seed=7)
    with RunDirectory(tmp_path).claim(config, None, print):
        pass
    assert run(tmp_path) == 2
    assert "already holds a run; go on with --resume" in capsys.readouterr().err
    assert run(tmp_path, "--resume", "--seed", "8") == 2
    assert "seed cannot change on resume: the run has 7, got 8" in capsys.readouterr().err
    again, checkpoint = parse(["--run-dir", str(tmp_path), "--resume", "--total-steps", "64"])
    assert checkpoint is None
    assert (again.seed, again.total_steps) == (7, 64)
