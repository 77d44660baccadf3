"""The boxes that the RAM gives hold what the screen shows."""

import numpy as np
import pytest

from benchmarks.data import record
from benchmarks.players import tour_player
from envs.kung_fu_master import ram as truth
from envs.kung_fu_master.ram import Box, Kind, projectile


def test_boxes_hold_the_projectiles_on_several_floors():
    # A player who cannot die meets dragons and the boss of the second floor, who throws boomerangs.
    recording = record(tour_player(np.random.default_rng(2)), 9_000, first_seed=2)
    own = {Kind.KNIFE: [], Kind.BOOMERANG: [], Kind.DRAGON_FIRE: []}
    stray = quiet = 0
    for t, ram in enumerate(recording.ram):
        box = projectile(ram)
        dark = (recording.palette[recording.frames[t]] == truth.KNIFE_COLOUR).all(axis=-1)
        boss = ram[truth.ENEMY] in (truth.BOSS, 210)  # wears the knife's colour
        if box and 0 <= box.left <= 144 - box.width:
            own[box.kind].append(recording.own_pixels(t, box).sum())
            stray += bool(not boss and (dark & ~box.mask(64, 144, grow=1)).any())
        elif not box and not boss:
            quiet += 1
            assert not dark.any()
    assert set(recording.ram[:, truth.FLOOR]) >= {1, 2}
    assert quiet > 1_000
    assert len(own[Kind.KNIFE]) > 200
    # A knife has eight pixels; fewer are shown where a fighter is drawn over it.
    assert (np.array(own[Kind.KNIFE]) == 8).mean() > 0.97
    assert len(own[Kind.BOOMERANG]) > 20
    assert (np.array(own[Kind.BOOMERANG]) >= 5).mean() > 0.9
    assert len(own[Kind.DRAGON_FIRE]) > 5
    assert np.mean(own[Kind.DRAGON_FIRE]) > 20
    assert stray < 0.02 * len(recording.ram)


@pytest.mark.parametrize("mirrored", [0, 8])
@pytest.mark.parametrize("facing", [0, 8])
def test_a_projectile_of_any_shape_has_a_kind_and_a_box(mirrored: int, facing: int):
    memory = np.zeros(128, np.uint8)
    memory[[truth.PROJECTILE_MIRRORED, truth.ENEMY_FACING]] = mirrored, facing
    memory[[truth.PROJECTILE_X, truth.PROJECTILE_Y]] = 130, 10
    boxes: dict[int, Box] = {}
    for shape in range(256):
        memory[truth.PROJECTILE_SHAPE] = shape
        box = projectile(memory)
        assert box is not None
        boxes[shape] = box
    known = {0: "knife", 4: "boomerang", 6: "boss_fire", 128: "dragon_fire"}
    assert {shape: box.kind for shape, box in boxes.items()} == {
        shape: known.get(shape, "unknown") for shape in range(256)
    }
    assert boxes[1] == boxes[0]._replace(kind=Kind.UNKNOWN)
    memory[truth.PROJECTILE_Y] = truth.NO_PROJECTILE
    assert projectile(memory) is None


def test_the_mask_is_cut_at_the_edges():
    box = Box(Kind.KNIFE, top=0, left=-2, height=2, width=5)
    assert np.argwhere(box.mask(4, 6)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert box.mask(4, 6, grow=1).sum() == 3 * 4
    assert not Box(Kind.KNIFE, 0, 145, 2, 5).mask(64, 144).any()
