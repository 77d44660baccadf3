"""Before a known backdrop what is small, alone and moving is found, and nothing else."""

from typing import NamedTuple

import numpy as np
import pytest

from encoders import ArtifactDetectorConfig, ForegroundDetector

HEIGHT, WIDTH = 40, 60
WALL = ((100, 160), (240, 255))


class Known(NamedTuple):
    """A scene of 40 rows. In rows 10 to 13 the brightest is a wall; in row 30 nothing changes."""

    backdrop: tuple = (((100, 160),),) * 10 + (WALL,) * 4 + (((100, 160),),) * 26
    live: tuple = (0,) * 30 + (WIDTH,) + (8,) * 9
    alone: tuple = ()


def detector(alone: tuple[int, ...] = (), **config: int) -> ForegroundDetector:
    return ForegroundDetector(ArtifactDetectorConfig(surround=3, **config), Known(alone=alone))


def before_it(
    *things: tuple[int, int, int], size: tuple[int, int] = (4, 2), moved: bool = True
) -> np.ndarray:
    """An observation (1, 4, 40, 60) with things of one size, row, column and level each.

    In the older frames they are 3 pixels more to the left if they have moved.
    """
    obs = np.full((1, 4, HEIGHT, WIDTH), 128, np.uint8)
    obs[:, :, 10:14, :20] = 255
    for row, column, level in things:
        for frame in range(4):
            at = column - 3 * (3 - frame) * moved
            obs[0, frame, row : row + size[0], at : at + size[1]] = level
    return obs


def test_anything_small_that_moves_is_found_whatever_its_level():
    for level in (0, 64, 192, 255):
        found = detector()(before_it((24, 30, level)))[0]
        assert found[24:28, 30:32].all()
        assert found.sum() == 8
    two = detector()(before_it((20, 30, 0), (34, 50, 255)))[0]
    assert two.sum() == 16
    assert not detector()(before_it((24, 30, 140))).any()  # as the backdrop itself
    assert not detector()(before_it()).any()  # the wall is none


def test_of_many_games_each_has_its_own():
    one, other = before_it((24, 30, 0)), before_it((2, 40, 255))
    found = detector()(np.concatenate([one, before_it(), other]))
    assert (found.sum(axis=(1, 2)) == (8, 0, 8)).all()
    assert found[0, 24:28, 30:32].all()
    assert found[2, 2:6, 40:42].all()


def test_what_ends_one_frame_and_begins_the_next_is_not_one_thing():
    below, above = (before_it((row, 30, 0), size=(2, 2)) for row in (HEIGHT - 2, 0))
    assert not detector()(np.concatenate([below, above])).any()


def test_what_rests_is_scenery():
    resting = before_it((24, 30, 0), moved=False)
    assert not detector()(resting).any()
    resting[0, 0, 24, 30] = 15  # as unsteady as what rests is in a reconstruction
    assert not detector()(resting).any()
    resting[0, 0, 24, 30] = 128  # one of its pixels is new
    assert detector()(resting).sum() == 8


def test_a_thing_before_a_wall_of_its_own_level_is_not_found_and_one_of_another_is():
    assert not detector()(before_it((10, 14, 255))).any()
    assert detector()(before_it((10, 14, 0)))[0, 10:14, 14:16].all()


@pytest.mark.parametrize(("size", "is_small"), [((5, 7), True), ((6, 2), False), ((2, 8), False)])
def test_what_does_not_fit_the_centre_box_is_not_small(size: tuple[int, int], is_small: bool):
    assert detector()(before_it((20, 30, 0), size=size)).any() == is_small


def test_what_is_neither_large_nor_small_depends_on_max_pixels():
    obs = before_it((24, 30, 0), size=(4, 4))
    assert detector(max_pixels=16)(obs).sum() == 16
    assert not detector(max_pixels=15)(obs).any()


def beside(gap: int, level: int, size: tuple[int, int]) -> np.ndarray:
    """A thing of level 0 with something else of a level and size at a distance below it."""
    obs = before_it((15, 30, 0))
    obs[0, :, 19 + gap : 19 + gap + size[0], 30 : 30 + size[1]] = level
    return obs


def test_a_large_thing_may_be_near_unless_it_touches_or_has_the_same_level():
    assert detector()(beside(1, 255, (8, 12))).sum() == 8
    assert not detector()(beside(0, 255, (8, 12))).any()
    assert not detector()(beside(2, 0, (8, 12))).any()
    assert detector()(beside(3, 0, (8, 12))).sum() == 8


def test_small_parts_that_are_close_are_one_artifact_if_the_box_holds_them():
    wide = {"centre_height": 15, "max_pixels": 24}
    assert not detector()(beside(2, 255, (4, 2))).any()  # a box of 5 x 7 does not
    found = detector(**wide)(beside(2, 255, (4, 2)))
    assert found.sum() == 8  # the other one rests
    assert detector(**wide)(before_it((15, 30, 0), (21, 30, 255))).sum() == 16


def test_debris_is_none():
    dots = [(row, column, 0) for row in (20, 22) for column in (30, 32)]
    wide = {"centre_height": 15, "max_pixels": 24}
    assert detector(**wide)(before_it(*dots[:3], size=(1, 1))).sum() == 3
    assert not detector(**wide)(before_it(*dots, size=(1, 1))).any()  # four parts
    dotted = before_it((20, 30, 0), size=(5, 5))
    dotted[:, :, 20:25:2, :], dotted[:, :, :, 30:35:2] = 128, 128
    dotted[0, 3, [20, 21, 22], [30, 31, 32]] = 0  # a diagonal fills a third of its box
    assert not detector(**wide)(dotted).any()


def test_more_than_five_of_a_kind_in_a_frame_are_scenery():
    places = [(row, column) for row in (2, 16, 23, 34) for column in (30, 42, 54)]
    several = before_it(*((*place, 0) for place in places[:5]))
    assert detector()(several).sum() == 40
    many = before_it(*((*place, 0) for place in places[:6]))
    assert not detector()(many).any()
    one_of_another_level = before_it(*((*place, 0) for place in places[:6]), (34, 20, 255))
    assert detector()(one_of_another_level).sum() == 8
    beside_one = before_it(*((*place, 0) for place in places[:6]), (16, 26, 255))
    found = detector()(beside_one)[0]
    assert found.sum() == 8  # and nothing of the scenery in the same box
    assert found[16:20, 26:28].all()


def test_what_may_go_on_where_nothing_changes_is_none():
    assert detector()(before_it((25, 30, 0))).any()
    assert not detector()(before_it((26, 30, 0))).any()  # above row 30
    assert not detector()(before_it((31, 30, 0))).any()  # below it
    assert not detector()(before_it((0, 30, 0))).any()  # at the edges
    assert not detector()(before_it((20, WIDTH - 2, 0))).any()
    assert not detector()(before_it((34, 8, 0))).any()  # beside the bar at the left
    assert detector()(before_it((34, 9, 0))).any()


def test_a_level_that_flies_alone_is_found_while_it_touches_something():
    touching = beside(0, 64, (8, 12))
    assert not detector()(touching).any()
    found = detector(alone=(0,))(touching)[0]
    assert found.sum() == 8
    assert found[15:19, 30:32].all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"obs must be \(N, C, H, W\) uint8"):
        detector()(np.zeros((4, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(ValueError, match="obs must have 40 rows, got 8"):
        detector()(np.zeros((1, 4, 8, WIDTH), np.uint8))
