"""The projection keeps the game's colours apart."""

import numpy as np

from envs.projection import FIRST_FLOOR, Projection

BACKGROUND = (66, 72, 200)
KNIFE = (74, 74, 74)
FOREGROUND = [
    (0, 0, 0), KNIFE, (101, 183, 217), (104, 25, 154), (125, 48, 173), (180, 122, 48),
    (192, 192, 192), (210, 164, 74), (213, 130, 74), (214, 214, 214),
]  # fmt: skip


def project(projection: Projection, colour: tuple[int, int, int]) -> int:
    return int(projection(np.full((1, 1, 1, 3), colour, np.uint8))[0, 0, 0])


def test_it_is_the_linear_map_rounded_and_saturated():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (3, 5, 7, 3), np.uint8)
    exact = rgb.astype(np.float64) @ np.array(FIRST_FLOOR.weights) + FIRST_FLOOR.offset
    found = FIRST_FLOOR(rgb)
    assert found.shape == (3, 5, 7)
    assert found.dtype == np.uint8
    assert np.abs(found - exact.clip(0, 255)).max() <= 0.5


def test_every_colour_of_the_first_floor_stands_out():
    background = project(FIRST_FLOOR, BACKGROUND)
    contrasts = [abs(project(FIRST_FLOOR, colour) - background) for colour in FOREGROUND]
    assert min(contrasts) == 66
    assert abs(project(FIRST_FLOOR, KNIFE) - background) == 126


def test_luminance_would_lose_the_knife():
    luminance = Projection((0.299, 0.587, 0.114), 0.0)
    assert abs(project(luminance, KNIFE) - project(luminance, BACKGROUND)) <= 12


def test_a_cut_out_area_needs_no_copy():
    rgb = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), np.uint8)
    area = rgb[:, 5:13, 4:20]
    np.testing.assert_array_equal(FIRST_FLOOR(area), FIRST_FLOOR(area.copy()))
