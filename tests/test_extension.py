"""What the documentation promises to those who change something, walked to its end.

Another detector, another game and play areas of other shapes go through every command.
``make test-long`` tries many shapes.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluate
import export
import train
from encoders import regions
from envs import KUNG_FU_MASTER as GAME
from envs import Projection
from experiment import training_state
from experiment.command_line import parse
from experiment.config import TrainConfig
from experiment.run_directory import load_checkpoint
from tests.envs.games import playing
from tests.test_fuzz import LONG, TINY, stand_ins
from tests.test_train import read_video

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--num-envs", "2", "--ppo.num-steps", "8", "--ppo.num-minibatches", "2",
    "--model.autoencoder.encoder.channels", "4", "4", "--evaluation-games", "1",
    "--env.max-episode-frames", "400",
]  # fmt: skip
"""16 agent steps an update."""


def scope_of(page: str) -> dict[str, Any]:
    """What the Python blocks of a page define."""
    found: dict[str, Any] = {"__name__": "docs"}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S):
        exec(compile(code, page, "exec"), found)
    return found


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    monkeypatch.setattr(training_state, "calibrate", lambda *_: projection)


@pytest.mark.usefixtures("calibrated")
def test_the_page_s_detector_works_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    detector = scope_of("docs/howto/detector.md")["BrightAndNew"]
    asked: list[tuple[int, ...]] = []

    class Counted(detector):
        def __call__(self, obs):
            asked.append(obs.shape)
            return super().__call__(obs)

    Counted.__name__ = "BrightAndNew"
    run_dir, hub = tmp_path / "run", tmp_path / "hub"
    with monkeypatch.context() as patch:
        # What the page says: its class in the place of ArtifactDetector, in one file.
        patch.setattr(regions, "ArtifactDetector", lambda *_: Counted())
        assert train.main(["--run-dir", str(run_dir), *FLAGS, "--total-steps", "32"]) == 0
        assert {(1, 4, 64, 144), (2, 4, 64, 144)} & set(asked)  # of the collector's parts
        log = EventAccumulator(str(run_dir / "tensorboard"), {"images": 0}).Reload()
        assert len(log.Scalars("artifacts/ghost_rate")) == 2  # live figures of both updates
        assert {"game/film", "reconstruction/without_artifact"} <= set(log.Tags()["images"])
        asked.clear()
        assert train.main(["--run-dir", str(run_dir), "--resume", "--total-steps", "48"]) == 0
        assert asked
        asked.clear()
        flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--video", f"{tmp_path}/game.mp4"]
        assert evaluate.main(flags) == 0
        assert asked == [(1, 4, 64, 144)] * 100  # for every picture of the video
        assert export.main(["--checkpoint", str(run_dir), "--hub", str(hub)]) == 0
        assert "BrightAndNew" in (hub / "README.md").read_text()
    # Without the class nothing silently looks for something else.
    capsys.readouterr()
    for main, flags in (
        (evaluate.main, ["--checkpoint", str(run_dir)]),
        (export.main, ["--checkpoint", str(run_dir), "--hub", f"{tmp_path}/other"]),
        (train.main, ["--run-dir", str(run_dir), "--resume", "--total-steps", "64"]),
    ):
        assert main(flags) == 2
        error = capsys.readouterr().err
        assert "trained with detector BrightAndNew, this program has ArtifactDetector" in error


def test_another_game_is_trained_filmed_judged_and_gone_on_with(tmp_path: Path, capsys):
    run_dir, video = tmp_path / "run", tmp_path / "game.mp4"
    flags = ["--env.game", "carnival", "--run-dir", str(run_dir), *FLAGS, "--total-steps", "32"]
    assert train.main(flags) == 0
    checkpoint = load_checkpoint(run_dir)
    config = checkpoint.read(TrainConfig, "config")
    assert config.env.play_area is not None  # found, and kept
    top, bottom, left, right = config.env.play_area
    assert (left, right) == (0, 160)
    assert 0 < top < bottom <= 214
    assert 0 < config.ppo.reward_scale < 0.1  # a target is worth some hundred points
    assert len(checkpoint.tensors["model.actor.last.bias"]) == 6  # Carnival's controls
    report = json.loads((run_dir / "evaluation.json").read_text())
    assert report["lengths"] == [100]
    assert report["human_normalized"] is None
    assert report["facts"] == [{}]  # nothing is read where Kung-Fu Master has its facts
    flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--video", str(video)]
    assert evaluate.main(flags) == 0
    count, size = read_video(video)
    assert (count, size) == (100, ((160 + 160) * 2, 3 * (24 + (bottom - top) * 2)))
    assert train.main(["--run-dir", str(run_dir), "--resume", "--total-steps", "48"]) == 0
    capsys.readouterr()
    other = ["--run-dir", str(run_dir), "--resume", "--env.game", "pong"]
    assert train.main(other) == 2
    assert "env.game cannot change on resume: the run has carnival, got pong" in (
        capsys.readouterr().err
    )


def test_a_run_has_the_name_of_its_game_unless_it_is_told_another():
    assert parse(["--env.game", "pong"])[0].run_dir == Path("runs/pong")
    assert parse([])[0].run_dir == Path("runs/kung_fu_master")
    assert parse(["--env.game", "pong", "--run-dir", "a"])[0].run_dir == Path("a")
    assert parse(["--env.game", "pong"])[0].ppo.reward_scale == 0
    assert parse(["--env.game", "pong", "--ppo.reward-scale", "1"])[0].ppo.reward_scale == 1
    assert parse(["--env.game", "pong", "--algorithm", "a2c"])[0].ppo.num_minibatches == 1


@pytest.mark.usefixtures("calibrated")
def test_a_checkpoint_is_not_played_through_other_pixels_of_its_game(tmp_path: Path, capsys):
    # The shape is the same, so nothing else would notice.
    run_dir = str(tmp_path / "run")
    assert train.main(["--run-dir", run_dir, *FLAGS, "--total-steps", "16"]) == 0
    capsys.readouterr()
    with playing(rows=(40, 104)):
        for main, flags in (
            (evaluate.main, ["--checkpoint", run_dir]),
            (export.main, ["--checkpoint", run_dir, "--hub", f"{tmp_path}/hub"]),
            (train.main, ["--run-dir", run_dir, "--resume", "--total-steps", "64"]),
        ):
            assert main(flags) == 2
            error = capsys.readouterr().err
            assert "trained with rows [96, 160], this program has [40, 104]" in error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": (96, 166)}, "multiples of 8, got 70 x 144"),
        ({"rows": (96, 216)}, "rows of Kung-Fu Master must lie within the 210 of its screen"),
    ],
)
def test_a_game_that_cannot_be_trained_is_one_line(
    tmp_path: Path, capsys, changes: dict[str, Any], message: str
):
    with playing(**changes):
        assert train.main(["--run-dir", str(tmp_path / "run"), *FLAGS]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


SIDES = st.integers(1, 32).map(lambda eighths: 8 * eighths)


def try_shape(height: int, width: int) -> None:
    """Two updates, every picture, an evaluation with video, on games of this shape."""
    with (
        tempfile.TemporaryDirectory() as directory,
        playing(rows=(0, height), columns=(0, width)),
        stand_ins(),
    ):
        assert GAME.obs_shape == (4, height, width)
        flags = ["--run-dir", f"{directory}/run", *TINY, "--total-steps", "16"]
        assert train.main(flags) == 0
        log = EventAccumulator(f"{directory}/run/tensorboard", {"images": 0}).Reload()
        assert {"game/film", "reconstruction/without_artifact"} <= set(log.Tags()["images"])
        assert (Path(directory) / "run/tensorboard/projector_config.pbtxt").exists()
        video = ["--episodes", "1", "--video", f"{directory}/game.mp4"]
        assert evaluate.main(["--checkpoint", f"{directory}/run", *video]) == 0
        assert read_video(Path(directory) / "game.mp4")[0] == 7


@pytest.mark.parametrize(("height", "width"), [(160, 16), (8, 8), (8, 256), (248, 152)])
def test_a_play_area_may_have_any_shape(height: int, width: int):
    try_shape(height, width)


@pytest.mark.long
@LONG
@given(SIDES, SIDES)
def test_very_many_shapes_of_the_play_area(height: int, width: int):
    try_shape(height, width)
