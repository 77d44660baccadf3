"""Pictures of what the encoder sees: numpy and OpenCV, RGB uint8."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
SCALE = 2
"""Enlargement of one pixel of an observation, by nearest neighbour."""
HEADER = 18
"""Height of the line of labels, in pixels."""
COLUMNS = ("input", "reconstruction", "absolute error", "detections", "weight map")


def sample_row(
    obs: Image, reconstruction: Image, regions: Image, weights: NDArray[np.floating]
) -> Image:
    """The five views of one frame side by side.

    Args:
        obs: (H, W) grey levels, the newest frame of an observation.
        reconstruction: (H, W) grey levels.
        regions: (H, W), non-zero in artifact regions.
        weights: (H, W) in 0..1, share of an artifact's weight.

    Returns:
        (2 H, 10 W, 3).
    """
    error = np.abs(obs.astype(np.float32) - reconstruction)
    panels = [
        gray(obs),
        gray(reconstruction),
        _heat(error / 128),  # half the range of grey levels is white-hot
        outlined(obs, regions),
        _heat(weights),
    ]
    return np.hstack(panels)


def labelled_grid(labels: Sequence[str], rows: list[Image]) -> Image:
    """Rows of as many equally wide panels as labels, under these, separated by thin lines."""
    width = rows[0].shape[1] // len(labels)
    parts = [np.hstack([_label(name, width) for name in labels])]
    for row in rows:
        parts += [row, np.full((2, row.shape[1], 3), 255, np.uint8)]
    return np.vstack(parts)


def video_frame(
    screen: Image, obs: Image, reconstruction: Image, weights: NDArray[np.floating]
) -> Image:
    """One step of a game: the screen, what the agent gets, what it can draw, what counted.

    Args:
        screen: (210, 160, 3) RGB.
        obs: (H, W) grey levels, the newest frame.
        reconstruction: (H, W) grey levels.
        weights: (H, W) in 0..1, share of an artifact's weight.

    Returns:
        Even height and width, as video codecs ask.
    """
    panels = [
        ("game", _enlarge(screen)),
        ("observation", gray(obs)),
        ("reconstruction", gray(reconstruction)),
        ("weight map", _heat(weights)),
    ]
    height = max(panel.shape[0] for _, panel in panels)
    columns = [
        np.vstack(
            [
                _label(name, panel.shape[1]),
                np.pad(panel, ((0, height - panel.shape[0]), (0, 0), (0, 0))),
            ]
        )
        for name, panel in panels
    ]
    return np.hstack(columns)


def _enlarge(image: Image) -> Image:
    return image.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def gray(frame: Image) -> Image:
    """Grey levels (H, W) as an enlarged RGB picture."""
    return _enlarge(frame)[:, :, None].repeat(3, axis=2)


def _heat(values: NDArray[np.floating]) -> Image:
    """Values 0..1 in a colour map from black over red to white."""
    levels = (values.clip(0, 1) * 255).astype(np.uint8)
    bgr = np.asarray(cv2.applyColorMap(_enlarge(levels), cv2.COLORMAP_HOT), np.uint8)
    return bgr[:, :, ::-1]


def outlined(obs: Image, regions: Image) -> Image:
    """The frame with a yellow line around every region."""
    image = gray(obs)
    enlarged = np.ascontiguousarray(_enlarge(regions))
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image, contours, -1, (255, 230, 0), 1), np.uint8)


def _label(text: str, width: int) -> Image:
    line = np.zeros((HEADER, width, 3), np.uint8)
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
    return np.asarray(cv2.putText(line, text, (4, 13), font, 0.45, white, 1, cv2.LINE_AA), np.uint8)
