"""Pictures show what they say they show."""

import numpy as np

from monitoring.pictures import (
    GAP,
    HEADER,
    SCALE,
    YELLOW,
    agent_view,
    sample_column,
    side_by_side,
    square,
)

H, W = 64, 144
TITLES = ("input", "reconstruction", "absolute error", "detections", "weight map")


def views() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A frame with a bright object that the reconstruction lacks."""
    obs = np.full((H, W), 144, np.uint8)
    obs[20:22, 50:55] = 18
    reconstruction = np.full((H, W), 144, np.uint8)
    regions = np.zeros((H, W), np.uint8)
    regions[18:24, 48:57] = 1
    return obs, reconstruction, regions, np.where(regions, 1.0, 0.1)


def panel(column: np.ndarray, title: str) -> np.ndarray:
    height = HEADER + H * SCALE
    top = TITLES.index(title) * height + HEADER
    return column[top : top + H * SCALE]


def test_the_panels_of_a_column():
    obs, reconstruction, regions, weights = views()
    column = sample_column(obs, reconstruction, regions, weights)
    assert column.shape == (len(TITLES) * (HEADER + H * SCALE), W * SCALE, 3)
    # Nearest neighbour: every pixel is a square of its own grey level.
    np.testing.assert_array_equal(panel(column, "input")[::SCALE, ::SCALE, 0], obs)
    np.testing.assert_array_equal(panel(column, "input")[1::SCALE, 1::SCALE, 2], obs)
    shown = panel(column, "reconstruction")[::SCALE, ::SCALE, 1]
    np.testing.assert_array_equal(shown, reconstruction)
    # The error is black where there is none and bright on the lost object, and only there.
    error = panel(column, "absolute error").sum(axis=2)[::SCALE, ::SCALE]
    assert (error[obs == 144] == 0).all()
    assert (error[obs == 18] > 600).all()
    # The heaviest weight is the brightest.
    weight = panel(column, "weight map").sum(axis=2)[::SCALE, ::SCALE]
    assert weight[regions == 1].min() > weight[regions == 0].max()


def test_every_panel_has_its_own_title():
    column = sample_column(*views())
    height = HEADER + H * SCALE
    titles = [column[n * height : n * height + HEADER] for n in range(len(TITLES))]
    assert all(title.max() == 255 for title in titles)
    assert len({title.tobytes() for title in titles}) == len(TITLES)


def test_detections_are_outlined_in_colour():
    obs, reconstruction, regions, weights = views()
    shown = panel(sample_column(obs, reconstruction, regions, weights), "detections")
    coloured = shown[..., 0] != shown[..., 2]
    rows, columns = np.nonzero(coloured)
    assert (rows.min() // SCALE, rows.max() // SCALE) == (18, 23)
    assert (columns.min() // SCALE, columns.max() // SCALE) == (48, 56)
    assert not coloured[21 * SCALE, 52 * SCALE]  # a line, not a filled box
    plain = panel(sample_column(obs, reconstruction, 0 * regions, weights), "detections")
    assert (plain[..., 0] == plain[..., 2]).all()


def test_columns_stand_side_by_side():
    column = sample_column(*views())
    grid = side_by_side([column, column])
    assert grid.shape == (len(column), 2 * W * SCALE + GAP, 3)
    np.testing.assert_array_equal(grid[:, : W * SCALE], column)
    np.testing.assert_array_equal(grid[:, -W * SCALE :], column)
    assert (grid[:, W * SCALE : -W * SCALE] == 255).all()


def test_a_square_is_coloured_around_the_frame():
    obs = views()[0]
    picture = square(obs, YELLOW)
    assert picture.shape == (W, W, 3)
    np.testing.assert_array_equal(picture[40:104, :, 1], obs)
    assert (picture[:40] == YELLOW).all()
    assert (picture[104:] == YELLOW).all()


def test_a_frame_of_any_shape_becomes_a_square():
    rng = np.random.default_rng(0)
    for height, width, top, left in ((20, 6, 0, 7), (8, 8, 0, 0), (6, 21, 7, 0)):
        obs = rng.integers(0, 200, (height, width), np.uint8)
        picture = square(obs, YELLOW)
        assert picture.shape == (max(height, width), max(height, width), 3)
        inside = picture[top : top + height, left : left + width]
        np.testing.assert_array_equal(inside, obs[:, :, None].repeat(3, axis=2))
        assert (picture == YELLOW).all(axis=2).sum() == picture[:, :, 0].size - obs.size


def test_a_seen_frame_holds_game_and_views_and_has_even_sides():
    obs, reconstruction, _, weights = views()
    screen = np.full((210, 160, 3), 77, np.uint8)
    frame = agent_view(screen, obs, reconstruction, weights)
    assert frame.shape == (3 * (HEADER + H * SCALE), (160 + W) * SCALE, 3)
    assert not frame.shape[0] % 2
    assert not frame.shape[1] % 2
    assert (frame[HEADER : HEADER + 420, : 160 * SCALE] == 77).all()
    views_side = frame[:, 160 * SCALE :]
    np.testing.assert_array_equal(views_side[HEADER : HEADER + H * SCALE : SCALE, ::SCALE, 0], obs)
