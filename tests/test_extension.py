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
from envs import GAME, Projection
from experiment import training_state
from experiment.run_directory import load_checkpoint
from tests.envs.games import CARNIVAL, playing
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
        patch.setattr(regions, "ArtifactDetector", lambda _: Counted())
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


def test_the_page_s_game_is_trained_filmed_and_judged(tmp_path: Path, capsys):
    page = (ROOT / "docs/howto/game.md").read_text()
    (described,) = re.findall(r"^CARNIVAL = Game\((.*?)^\)", page, re.M | re.S)
    for name, value in CARNIVAL.items():
        assert f"{name}={value!r}".replace("'", '"') in described
    run_dir, video = tmp_path / "run", tmp_path / "game.mp4"
    with playing(**CARNIVAL):
        assert train.main(["--run-dir", str(run_dir), *FLAGS, "--total-steps", "32"]) == 0
        (report,) = [json.loads((run_dir / "evaluation.json").read_text())]
        assert report["lengths"] == [100]
        assert report["facts"] == [{}]  # nothing is read where Kung-Fu Master has its facts
        flags = ["--checkpoint", str(run_dir), "--episodes", "1", "--video", str(video)]
        assert evaluate.main(flags) == 0
    count, size = read_video(video)
    assert (count, size) == (100, ((160 + 160) * 2, 3 * (24 + 160 * 2)))
    actor = load_checkpoint(run_dir).tensors["model.actor.last.bias"]
    assert len(actor) == 6  # Carnival's controls, all of them and no others
    capsys.readouterr()
    # Neither is its checkpoint taken for one of Kung-Fu Master.
    assert evaluate.main(["--checkpoint", str(run_dir)]) == 2
    assert "trained with rom carnival, this program has kung_fu_master" in capsys.readouterr().err


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
        (
            {"title": "River Raid", "rom": "riverraid", "rows": (0, 160), "columns": (0, 160)},
            "River Raid cannot be trained: two colours of the frames differ in blue alone",
        ),
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
