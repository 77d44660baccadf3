"""Pictures of what the encoder sees: NumPy and OpenCV, RGB uint8."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
YELLOW, GREY = (255, 230, 0), (70, 70, 70)
"""What marks an artifact, and what does not."""
SCALE = 2
"""Enlargement of one pixel of an observation, by nearest neighbour."""
HEAVIEST = 0.9
"""An artifact's weight on the colour map: pale yellow, because white is lost on a white page."""
HEADER = 24
"""Height of a panel's title, in pixels."""
GAP = 4
"""Width of the line between two samples, in pixels."""


def sample_column(
    obs: Picture, reconstruction: Picture, regions: Picture, weights: NDArray[np.floating]
) -> Picture:
    """The five views of one frame, one below the other: TensorBoard shows narrow pictures larger.

    Args:
        obs: (H, W) grey levels, the newest frame of an observation.
        reconstruction: (H, W) grey levels.
        regions: (H, W), non-zero in artifact regions.
        weights: (H, W) in 0..1, share of an artifact's weight.

    Returns:
        (5 (2 H + ``HEADER``), 2 W, 3).
    """
    error = np.abs(obs.astype(np.float32) - reconstruction)
    panels = {
        "input": gray(obs),
        "reconstruction": gray(reconstruction),
        "absolute error": _heat(error / 128),  # half the range of grey levels is white-hot
        "detections": outlined(obs, regions),
        "weight map": _heat_of_weights(weights),
    }
    return np.vstack([titled(title, panel) for title, panel in panels.items()])


def side_by_side(columns: Sequence[Picture]) -> Picture:
    """Pictures of the same height in a row, with a white line between them."""
    line = np.full((len(columns[0]), GAP, 3), 255, np.uint8)
    parts = [part for column in columns for part in (line, column)]
    return np.hstack(parts[1:])


def square(obs: Picture, colour: tuple[int, int, int]) -> Picture:
    """A frame (H, W) in the middle of a square of a colour, (S, S, 3) with S = max(H, W)."""
    height, width = obs.shape
    side = max(height, width)
    picture = np.full((side, side, 3), colour, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    picture[top : top + height, left : left + width] = obs[:, :, None]
    return picture


def agent_view(
    screen: Picture, obs: Picture, reconstruction: Picture, weights: NDArray[np.floating]
) -> Picture:
    """One step of a game: beside the screen what the agent gets, what it can draw, what counts.

    Args:
        screen: (H, W, 3) RGB, the native screen.
        obs: (H, W) grey levels, the newest frame.
        reconstruction: (H, W) grey levels.
        weights: (H, W) in 0..1, share of an artifact's weight.

    Returns:
        (456, 608, 3) for the game's own sizes; even, as video codecs ask.
    """
    left = titled("game", _enlarge(screen))
    right = np.vstack(
        [
            titled("observation", gray(obs)),
            titled("reconstruction", gray(reconstruction)),
            titled("weight map", _heat_of_weights(weights)),
        ]
    )
    height = max(len(left), len(right))
    return np.hstack(
        [np.pad(side, ((0, height - len(side)), (0, 0), (0, 0))) for side in (left, right)]
    )


def titled(title: str, panel: Picture) -> Picture:
    """A picture (H, W, 3) under a line with its title, (``HEADER`` + H, W, 3)."""
    return np.vstack([_label(title, panel.shape[1]), panel])


def _enlarge(image: Picture) -> Picture:
    size = (image.shape[1] * SCALE, image.shape[0] * SCALE)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def gray(frame: Picture) -> Picture:
    """Grey levels (H, W) as an enlarged RGB picture."""
    return _enlarge(frame)[:, :, None].repeat(3, axis=2)


def _heat_of_weights(weights: NDArray[np.floating]) -> Picture:
    return _heat(HEAVIEST * np.sqrt(weights))  # the root, because small weights differ little


def _heat(values: NDArray[np.floating]) -> Picture:
    """Values 0..1 in a colour map from black over red to white."""
    levels = (values.clip(0, 1) * 255).astype(np.uint8)
    bgr = np.asarray(cv2.applyColorMap(_enlarge(levels), cv2.COLORMAP_HOT), np.uint8)
    return bgr[:, :, ::-1]


def outlined(obs: Picture, regions: Picture) -> Picture:
    """The frame with a yellow line around every region."""
    image = gray(obs)
    enlarged = np.ascontiguousarray(_enlarge(regions))
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image, contours, -1, YELLOW, 1), np.uint8)


def _label(text: str, width: int) -> Picture:
    line = np.zeros((HEADER, width, 3), np.uint8)
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (255, 255, 255)
    return np.asarray(cv2.putText(line, text, (4, 18), font, 0.65, white, 1, cv2.LINE_AA), np.uint8)
