"""The judge of ten games, worked out by hand, and one small run of it."""

import json
import sys

import imageio.v2 as imageio
import numpy as np
import pytest

from benchmarks import games
from benchmarks.game_scene import GameScene, Seen, game_scene
from benchmarks.object_fidelity import detection, fidelity, is_kept
from benchmarks.scene import Scene
from encoders import ArtifactDetectorConfig, make_finder
from envs import EnvConfig, calibrate, game_of
from experiment.config import ANY_GAME
from experiment.errors import UserError

SIZE = (20, 30)


def dot(row: int, column: int) -> np.ndarray:
    own = np.zeros(SIZE, bool)
    own[row : row + 2, column : column + 2] = True
    return own


def scene_with(*owns: np.ndarray | None) -> GameScene:
    """One frame for each; an object is 255 before 128, and its region is one pixel wider."""
    frames = np.full((len(owns), *SIZE), 128, np.uint8)
    regions = np.zeros_like(frames)
    objects = []
    for t, own in enumerate(owns):
        if own is not None:
            frames[t][own] = 255
            rows, columns = np.nonzero(own)
            regions[t, rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2] = 1
            objects.append(Seen(t, own))
    stacks = np.maximum(np.arange(len(owns))[:, None] + np.arange(-3, 1), 0)
    scene = Scene(frames, stacks, regions, [], np.zeros(len(owns), np.int64))
    return GameScene(scene, objects, 0, 0)


def test_precision_and_recall_count_parts_and_objects():
    pixels = np.zeros((3, *SIZE), np.uint8)
    objects = [Seen(0, dot(5, 5)), Seen(0, dot(5, 20)), Seen(1, dot(9, 9))]
    pixels[0, 5, 5] = 1  # a pixel of the first
    pixels[0, 15, 15] = 1  # nothing is there
    pixels[1, 8, 9] = 1  # beside the third: right, but it does not recall it
    found = detection(pixels, objects)
    assert found == {"parts": 3, "precision": pytest.approx(2 / 3), "recall": pytest.approx(1 / 3)}
    nothing = detection(pixels * 0, [])
    assert nothing == {"parts": 0, "precision": None, "recall": None}


@pytest.mark.parametrize(("level", "kept"), [(255, True), (192, True), (191, False), (0, False)])
def test_an_object_is_kept_with_half_of_its_contrast(level: int, kept: bool):
    frame = np.full(SIZE, 128, np.uint8)
    own = dot(5, 5)
    frame[own] = 255
    drawn = np.full(SIZE, 128, np.float32)
    drawn[own] = level
    assert is_kept(frame, drawn, own) == kept


def test_fidelity_tells_kept_objects_ghosts_and_the_background_s_error():
    test = scene_with(dot(5, 5), None, None, dot(8, 8))
    finder = make_finder(ArtifactDetectorConfig())
    drawn = test.scene.frames.astype(np.float32)
    drawn[3][test.objects[1].own] = 128  # lost
    drawn[2, 10:12, 20:22] = 255  # a ghost
    figures = fidelity(test, drawn, 2.0, finder)
    assert figures["recall"] == 0.5
    assert figures["ghost_rate"] == 0.5  # of two empty frames
    outside = 4 * 600 - 2 * 16  # without two regions of 4 x 4
    assert figures["background_mse"] == pytest.approx(4 * (127 / 2) ** 2 / outside)


def test_a_scene_has_the_truth_about_the_steps_it_shows():
    config = EnvConfig(game="pong", play_area=(34, 194, 0, 160))
    projection = calibrate(config, seed=1)
    finder = make_finder(ANY_GAME, projection)
    found = game_scene(game_of(config), projection, finder, 400, first_seed=3)
    assert found.scene.frames.shape == (400, 160, 160)
    assert len(found.objects) > 100
    ball = projection(np.full((1, 1, 1, 3), 236, np.uint8))[0, 0, 0]
    for seen in found.objects:
        assert (found.scene.frames[seen.step][seen.own] == ball).all()
    regions = found.scene.regions
    assert np.mean([bool(regions[seen.step][seen.own].any()) for seen in found.objects]) > 0.95


def test_a_run_judges_detector_and_autoencoders_and_adds_what_lacks(tmp_path, monkeypatch):
    path = tmp_path / "games.json"
    flags = ["--json", str(path), "--games", "pong", "--frames", "64", "--samples", "64"]
    monkeypatch.setattr(sys, "argv", ["games", *flags])
    games.main()
    result = json.loads(path.read_text())
    pong = result["games"]["pong"]
    assert 0 <= pong["precision"] <= 1
    assert pong["default"]["background_mse"]["mean"] > 0
    assert len(pong["uniform"]["recall"]["values"]) == 1
    picture = imageio.imread(tmp_path / "games" / "pong.png")
    assert picture.ndim == 3
    monkeypatch.setattr(sys, "argv", ["games", *flags, "--add"])
    games.main()
    assert json.loads(path.read_text())["games"]["pong"] == pong  # not judged again


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("games", ("chess",), "games must be of breakout"), ("samples", 5, "samples must be 0 or")],
)
def test_bad_settings_are_named(field, value, allowed):
    with pytest.raises((ValueError, UserError), match=allowed):
        games.GamesConfig(**{field: value})
