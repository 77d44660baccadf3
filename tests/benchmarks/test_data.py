"""Recordings: real frames, their truth, and what is stored."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import data
from benchmarks.data import (
    FIRST_SEED,
    STEPS,
    DataConfig,
    Recording,
    inventory,
    load,
    record,
    visible_projectiles,
)
from benchmarks.players import random_player, tour_player
from envs import Projection
from envs.kung_fu_master import ram as truth
from experiment.errors import UserError

PROJECTION = Projection((truth.SKY_COLOUR, (180, 122, 48)), (truth.KNIFE_COLOUR,))


def planted(knives: int, count: int = 12) -> Recording:
    """Sky with a white block; the first ``knives`` frames hold a knife at (40, 30 + 5 t)."""
    palette = np.zeros((256, 3), np.uint8)
    palette[:4] = truth.SKY_COLOUR, truth.KNIFE_COLOUR, (214, 214, 214), (0, 0, 0)
    frames = np.zeros((count, 64, 144), np.uint8)
    frames[:, 20:60, 100:110] = 2
    ram = np.zeros((count, 128), np.uint8)
    ram[:, truth.ENEMY], ram[:, truth.FLOOR] = 92, 1
    ram[:, truth.PROJECTILE_Y] = truth.NO_PROJECTILE
    for t in range(knives):
        frames[t, 40, 31 + 5 * t : 35 + 5 * t] = frames[t, 41, 30 + 5 * t : 34 + 5 * t] = 1
        ram[t, truth.PROJECTILE_X] = 30 + 5 * t + 8 + 52
        ram[t, truth.PROJECTILE_Y] = 40 + 96 - 123
    starts = np.zeros(count, bool)
    starts[[0, 6]] = True
    return Recording(frames, palette, ram, starts, "random")


def test_knives_and_their_own_pixels_come_from_the_ram():
    recording = planted(3)
    found = visible_projectiles(recording)
    assert [(t, tuple(box)[1:]) for t, box, _ in found] == [
        (t, (40, 30 + 5 * t, 2, 5)) for t in range(3)
    ]
    assert [own.sum() for *_, own in found] == [8, 8, 8]
    assert inventory(recording) == {
        "frames": 12,
        "episodes": 2,
        "floors": {"1": 12},
        "enemies": {"knife thrower": 12},
        "projectiles": {"knife": 3},
    }


def test_a_knife_outside_of_the_picture_is_not_visible():
    recording = planted(1)
    recording.ram[0, truth.PROJECTILE_X] = 150 + 8 + 52
    assert not visible_projectiles(recording)


def test_stacks_do_not_cross_an_episodes_start():
    stacks = planted(0).stacks()
    assert stacks[0].tolist() == [0, 0, 0, 0]
    assert stacks[5].tolist() == [2, 3, 4, 5]
    assert stacks[6].tolist() == [6, 6, 6, 6]
    assert stacks[8].tolist() == [6, 6, 7, 8]


def test_real_play_is_recorded_as_the_agent_would_see_it():
    recording = record(random_player(np.random.default_rng(0)), 150, first_seed=7)
    again = record(random_player(np.random.default_rng(0)), 150, first_seed=7)
    np.testing.assert_array_equal(recording.frames, again.frames)
    assert recording.frames.shape == (150, 64, 144)
    assert recording.starts.nonzero()[0].tolist() == [0]
    seen = {tuple(colour) for colour in recording.palette[np.unique(recording.frames)].tolist()}
    assert {truth.SKY_COLOUR, (180, 122, 48), (214, 214, 214)} <= seen
    assert (recording.project(PROJECTION)[:, :60] == 128).mean() > 0.9
    assert set(recording.ram[:, truth.FLOOR]) == {1}


def test_the_tour_gives_back_what_play_costs():
    recording = record(tour_player(np.random.default_rng(0)), 400, first_seed=0)
    assert recording.ram[100:, truth.LIVES].min() == 3
    assert recording.starts.sum() == 1


def test_parts_are_made_once_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small = {split: dict.fromkeys(parts, 40) for split, parts in STEPS.items()}
    monkeypatch.setattr(data, "STEPS", small)
    config = DataConfig(data=tmp_path)
    first = load(config, "test", ("random", "tour"))
    assert len(first.frames) == 80
    assert first.starts.nonzero()[0].tolist() == [0, 40]
    monkeypatch.delattr(data, "record")  # nothing is played again
    again = load(config, "test", ("random", "tour"))
    for before, after in zip(first, again, strict=True):
        np.testing.assert_array_equal(before, after)
    np.savez_compressed(tmp_path / "tour-test.npz", frames=first.frames)
    with pytest.raises(UserError, match=r"lacks palette, player, ram, starts: made by another"):
        load(config, "test", ("tour",))
    small["test"]["random"] = 41
    with pytest.raises(UserError, match="holds 40 steps, this version records 41"):
        load(config, "test", ("random",))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "random-test.npz",
        "tour-test.npz",
    ]


def test_the_splits_have_other_seeds():
    # An episode has at least one step, so seeds of the splits stay apart.
    most = max(max(parts.values()) for parts in STEPS.values()) + 1_000 * len(STEPS["train"])
    first = sorted(FIRST_SEED[split] for split in STEPS)
    assert np.diff(first).min() > most


def test_a_recording_of_another_agent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recording = planted(2)._replace(player="one")
    monkeypatch.setitem(STEPS["test"], "agent", len(recording.frames))
    np.savez_compressed(tmp_path / "agent-test.npz", **recording._asdict())
    monkeypatch.setattr(data, "digest", lambda _: "one")
    same = DataConfig(data=tmp_path, agent=tmp_path / "run")
    assert load(same, "test", ("agent",)).player == "one"
    monkeypatch.setattr(data, "digest", lambda _: "another")
    with pytest.raises(UserError, match="run is not the one that played"):
        load(same, "test", ("agent",))
    assert load(DataConfig(data=tmp_path), "test", ("agent",)).player == "one"  # none is named
