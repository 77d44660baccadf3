"""Regions around what any detector finds."""

import numpy as np
import pytest

from encoders import RegionFinder
from encoders.regions import MOST

OBS = np.zeros((3, 4, 20, 30), np.uint8)


def test_any_mark_counts_and_grows_in_its_own_frame_alone():
    def corner(obs: np.ndarray) -> np.ndarray:
        found = np.zeros((len(obs), *obs.shape[2:]), np.uint8)
        found[1, 10, 15] = 200
        found[2, 0, 0] = 1
        return found

    finder = RegionFinder(corner, margin=2)
    assert finder.pixels(OBS).sum(axis=(1, 2)).tolist() == [0, 1, 1]
    regions = finder(OBS)
    expected = np.zeros((3, 20, 30), np.uint8)
    expected[1, 8:13, 13:18] = 1
    expected[2, :3, :3] = 1
    np.testing.assert_array_equal(regions, expected)
    np.testing.assert_array_equal(RegionFinder(corner, margin=0)(OBS), finder.pixels(OBS))


def test_every_region_of_a_frame_has_a_number_of_its_own():
    def dots(obs: np.ndarray) -> np.ndarray:
        found = np.zeros((len(obs), 20, 300), np.uint8)
        found[0, ::2, ::2] = 1  # 1,500 of them
        found[1, 3, [5, 8, 20]] = 1
        return found

    obs = np.zeros((2, 4, 20, 300), np.uint8)
    many, few = RegionFinder(dots, margin=0)(obs)
    assert set(np.unique(many)) == set(range(MOST + 1))
    assert (many != 0).sum() == 1500
    assert [few[3, column] for column in (5, 8, 20)] == [1, 2, 3]
    grown = RegionFinder(dots, margin=1)(obs)[1]
    assert [grown[3, column] for column in (5, 8, 20)] == [1, 1, 2]  # two have met


def test_what_a_detector_keeps_is_not_changed():
    kept = np.zeros((3, 20, 30), np.uint8)
    kept[:, 5, 5] = 1
    before = kept.copy()
    RegionFinder(lambda _: kept, margin=1)(OBS)
    np.testing.assert_array_equal(kept, before)


class Wrong:
    """Returns what it is told to."""

    def __init__(self, found: object) -> None:
        self.found = found

    def __call__(self, _: np.ndarray) -> object:
        return self.found


@pytest.mark.parametrize(
    ("found", "got"),
    [
        (np.zeros((3, 20, 30), bool), r"\(3, 20, 30\) bool"),
        (np.zeros((3, 4, 20, 30), np.uint8), r"\(3, 4, 20, 30\) uint8"),
        (None, "NoneType"),
    ],
)
def test_a_detector_that_returns_something_else_is_named(found: object, got: str):
    finder = RegionFinder(Wrong(found), margin=1)  # type: ignore[arg-type]
    assert finder.name == "Wrong"
    with pytest.raises(ValueError, match=rf"Wrong must return \(3, 20, 30\) uint8, got {got}$"):
        finder(OBS)
