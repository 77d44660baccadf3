"""The projection gives every colour the level of its part in the game."""

import numpy as np
import pytest

from envs.projection import (
    ARTIFACT,
    BACKGROUND,
    BRIGHTEST_OTHER,
    Colour,
    Projection,
    fit_projection,
)

SKY, FLOOR, KNIFE = (66, 72, 200), (180, 122, 48), (74, 74, 74)
WHITE, BLACK, SKIN = (214, 214, 214), (0, 0, 0), (210, 164, 74)


def level(projection: Projection, colour: Colour) -> int:
    return int(projection(np.full((1, 1, 1, 3), colour, np.uint8))[0, 0, 0])


def scenes(count: int, *, knives: bool = True) -> np.ndarray:
    """A white fighter with a black belt and a face as small as a knife, and knives in the air."""
    frames = np.full((count, 64, 144, 3), SKY, np.uint8)
    frames[:, 62:] = FLOOR
    for n, frame in enumerate(frames):
        left = 20 + 3 * (n % 20)
        frame[30:62, left : left + 8] = WHITE
        frame[44:46, left : left + 8] = BLACK
        frame[32:34, left + 2 : left + 6] = SKIN
        if knives and n % 2:
            frame[40, 101:105] = frame[41, 100:104] = KNIFE
    return frames


def test_the_parts_of_the_colours_are_found_in_the_frames():
    projection = fit_projection(scenes(40))
    assert set(projection.background) == {SKY, FLOOR}
    assert projection.artifacts == (KNIFE,)


def test_without_anything_that_flies_alone_there_is_no_artifact_colour():
    assert fit_projection(scenes(40, knives=False)).artifacts == ()


def test_a_few_isolated_parts_are_no_evidence():
    assert fit_projection(scenes(18)).artifacts == ()  # nine knives
    assert fit_projection(scenes(20)).artifacts == (KNIFE,)  # ten


def test_a_colour_that_mostly_makes_up_bodies_is_no_artifact_colour():
    # The white of the fighter also flies alone now and then: less than a tenth of its parts.
    frames = scenes(200)
    frames[:15, 10:12, 120:124] = WHITE
    assert fit_projection(frames).artifacts == (KNIFE,)


def test_every_colour_stands_out_seen_or_not():
    projection = fit_projection(scenes(40))
    assert {level(projection, SKY), level(projection, FLOOR)} == {BACKGROUND}
    assert level(projection, KNIFE) == ARTIFACT
    others = [(r, g, 90) for r in range(0, 256, 15) for g in range(0, 256, 15)]
    levels = [level(projection, colour) for colour in others]
    assert max(levels) == BRIGHTEST_OTHER
    assert BACKGROUND - max(levels) >= 60
    assert ARTIFACT - BACKGROUND >= 100
    assert level(projection, BLACK) == 0
    assert level(projection, BLACK) < level(projection, SKIN) < level(projection, WHITE)


def test_luminance_would_lose_the_knife():
    luminance = np.array([0.299, 0.587, 0.114])
    assert abs(np.array(KNIFE) @ luminance - np.array(SKY) @ luminance) < 12


def test_a_cut_out_area_needs_no_copy():
    projection = Projection((SKY,), (KNIFE,))
    rgb = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), np.uint8)
    area = rgb[:, 5:13, 4:20]
    np.testing.assert_array_equal(projection(area), projection(area.copy()))


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (np.zeros((4, 64, 144), np.uint8), r"\(4, 64, 144\) uint8"),
        (np.zeros((1, 8, 8, 3)), r"\(1, 8, 8, 3\) float64"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames: np.ndarray, found: str):
    with pytest.raises(ValueError, match=rf"\(T, H, W, 3\) uint8, got {found}"):
        fit_projection(frames)


def test_two_colours_that_differ_in_blue_alone_are_told_apart_without_red():
    frames = scenes(40)
    frames[:, 5, 5:7] = (SKY[0], SKY[1], 10)
    projection = fit_projection(frames)
    assert projection.without_red
    assert projection.compromises == ()
    assert set(projection.background) == {SKY, FLOOR}
    assert set(projection.artifacts) == {KNIFE, (SKY[0], SKY[1], 10)}
    assert level(projection, SKY) == BACKGROUND
    assert level(projection, (SKY[0], SKY[1], 10)) == ARTIFACT
    assert level(projection, KNIFE) == ARTIFACT
    others = [level(projection, colour) for colour in (BLACK, SKIN, WHITE)]
    assert others == sorted(others)


def test_colours_that_cannot_be_told_apart_count_as_one_and_are_noted():
    frames = scenes(40)
    frames[:, 5, 5:7] = (SKY[0], SKY[1], 10)
    frames[:, 9, 5:7] = (99, SKY[1], SKY[2])
    projection = fit_projection(frames)
    assert not projection.without_red
    assert projection.compromises == ("1 of the colours count as others, which they resemble",)
    assert level(projection, KNIFE) == ARTIFACT


def test_without_a_filled_line_the_most_frequent_colour_is_the_background():
    checkered = np.zeros((1, 8, 8, 3), np.uint8)
    checkered[0, ::2, ::2] = checkered[0, 1::2, 1::2] = 255
    checkered[0, 0, 0] = 0
    projection = fit_projection(checkered)
    assert projection.background == ((0, 0, 0),)
    assert "no colour fills scan lines" in projection.compromises[0]


def test_frames_of_too_many_colours_are_refused():
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 144, 3), np.uint8)
    with pytest.raises(ValueError, match="at most 256 colours, got"):
        fit_projection(noise)
