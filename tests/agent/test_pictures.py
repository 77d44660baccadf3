"""Pictures show what they say they show."""

import numpy as np

from agent.pictures import COLUMNS, HEADER, SCALE, labelled_grid, sample_row, video_frame

H, W = 64, 144


def views() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A frame with a bright object that the reconstruction lacks."""
    obs = np.full((H, W), 144, np.uint8)
    obs[20:22, 50:55] = 18
    reconstruction = np.full((H, W), 144, np.uint8)
    regions = np.zeros((H, W), np.uint8)
    regions[18:24, 48:57] = 1
    return obs, reconstruction, regions, np.where(regions, 1.0, 0.1)


def column(row: np.ndarray, name: str) -> np.ndarray:
    index = COLUMNS.index(name)
    return row[:, index * W * SCALE : (index + 1) * W * SCALE]


def test_the_columns_of_a_row():
    obs, reconstruction, regions, weights = views()
    row = sample_row(obs, reconstruction, regions, weights)
    assert row.shape == (H * SCALE, len(COLUMNS) * W * SCALE, 3)
    # Nearest neighbour: every pixel is a square of its own grey level.
    np.testing.assert_array_equal(column(row, "input")[::SCALE, ::SCALE, 0], obs)
    np.testing.assert_array_equal(column(row, "input")[1::SCALE, 1::SCALE, 2], obs)
    np.testing.assert_array_equal(
        column(row, "reconstruction")[::SCALE, ::SCALE, 1], reconstruction
    )
    # The error is black where there is none and bright on the lost object, and only there.
    error = column(row, "absolute error").sum(axis=2)[::SCALE, ::SCALE]
    assert (error[obs == 144] == 0).all()
    assert (error[obs == 18] > 600).all()
    # The heaviest weight is the brightest.
    weight = column(row, "weight map").sum(axis=2)[::SCALE, ::SCALE]
    assert weight[regions == 1].min() > weight[regions == 0].max()


def test_detections_are_outlined_in_colour():
    obs, reconstruction, regions, weights = views()
    shown = column(sample_row(obs, reconstruction, regions, weights), "detections")
    coloured = shown[..., 0] != shown[..., 2]
    rows, columns = np.nonzero(coloured)
    assert (rows.min() // SCALE, rows.max() // SCALE) == (18, 23)
    assert (columns.min() // SCALE, columns.max() // SCALE) == (48, 56)
    assert not coloured[21 * SCALE, 52 * SCALE]  # a line, not a filled box
    plain = column(sample_row(obs, reconstruction, 0 * regions, weights), "detections")
    assert (plain[..., 0] == plain[..., 2]).all()


def test_the_grid_has_a_line_of_labels_above_its_rows():
    row = sample_row(*views())
    grid = labelled_grid(COLUMNS, [row, row])
    assert grid.shape[1] == row.shape[1]
    labels = grid[:HEADER].reshape(HEADER, len(COLUMNS), -1)
    assert (labels.max(axis=(0, 2)) == 255).all()  # something is written above every column
    np.testing.assert_array_equal(grid[HEADER : HEADER + H * SCALE], row)


def test_video_frames_have_even_sides():
    obs, reconstruction, _, weights = views()
    screen = np.zeros((210, 160, 3), np.uint8)
    frame = video_frame(screen, obs, reconstruction, weights)
    assert frame.shape == (HEADER + 210 * SCALE, (160 + 3 * W) * SCALE, 3)
    assert not frame.shape[0] % 2
    assert not frame.shape[1] % 2
