"""Find small isolated bright objects ("artifacts") in single-channel frames with OpenCV.

NumPy and OpenCV only. The detector runs once on each new frame, next to the emulator. It also
judges reconstructions: what it no longer finds there, the encoder has lost.
"""

from dataclasses import dataclass
from typing import Annotated, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from settings import Checked, Within


@dataclass(frozen=True)
class ArtifactDetectorConfig(Checked):
    """What counts as a small artifact. Lengths are in pixels of the observation."""

    threshold: Annotated[int, Within(1, 255)] = 192
    """Grey level from which a pixel is bright."""
    centre_height: Annotated[int, Within(1, 31)] = 5
    """Height of the box that must hold the whole artifact (odd)."""
    centre_width: Annotated[int, Within(1, 31)] = 7
    """Width of the box that must hold the whole artifact (odd)."""
    surround: Annotated[int, Within(1, 16)] = 6
    """Width of the ring around the centre box in which nothing may be bright."""
    min_pixels: Annotated[int, Within(1, 225)] = 1
    """Fewest bright pixels in the centre box."""
    max_pixels: Annotated[int, Within(1, 225)] = 225
    """Most of them."""
    margin: Annotated[int, Within(0, 16)] = 2
    """Pixels by which an artifact is grown on every side into its region."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        for name in ("centre_height", "centre_width"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name} must be odd, got {getattr(self, name)}")
        if self.min_pixels > self.centre_height * self.centre_width:
            raise ValueError(
                f"min_pixels must be at most {self.centre_height * self.centre_width} "
                f"(the centre box), got {self.min_pixels}"
            )


class Detector(Protocol):
    """What finds artifacts; any object with this call is one, whatever an artifact is to it."""

    def __call__(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the pixels of artifacts in the newest frames of observations.

        The C frames of an observation follow each other in one game, so motion can be seen. The N
        observations have nothing to do with each other. Threads call it at the same time, so it
        must not change itself.

        Args:
            obs: (N, C, H, W) uint8, oldest frame first; of the game, or reconstructed.

        Returns:
            (N, H, W) uint8, non-zero in the pixels of artifacts, without any margin.
        """
        ...


class ArtifactDetector:
    """Centre-surround detector: something bright in a small box, nothing in the ring around it.

    The ring is wide because a figure of the artifact's colour, such as a boss in a dark jacket,
    falls into several small parts, but these lie close together. The detector has no state
    and needs no warm-up.
    """

    def __init__(self, config: ArtifactDetectorConfig) -> None:
        """Build the detector; ``config`` has checked its own fields."""
        self.config = config

    def __call__(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the pixels of artifacts in the newest frames of observations.

        Args:
            obs: (N, C, H, W) uint8, any N and C.

        Returns:
            (N, H, W) uint8: 1 in an artifact's pixels, 0 elsewhere.

        Raises:
            ValueError: If ``obs`` is not a uint8 array of four dimensions.
        """
        check_obs(obs)
        bright = obs[:, -1] >= self.config.threshold
        pixels = np.zeros(bright.shape, np.uint8)
        # Most frames hold nothing bright, and need no more than this.
        not_empty = np.flatnonzero(bright.any(axis=(1, 2)))
        if len(not_empty):
            pixels[not_empty] = centre_surround(self.config, bright[not_empty])
        return pixels


def check_obs(obs: NDArray[np.uint8]) -> None:
    """Raise ValueError if ``obs`` is not a uint8 array of four dimensions."""
    if obs.ndim != 4 or obs.dtype != np.uint8:
        raise ValueError(f"obs must be (N, C, H, W) uint8, got {obs.shape} {obs.dtype}")


def centre_surround(
    config: ArtifactDetectorConfig,
    marked: NDArray[np.bool_],
    moved: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Find marked pixels that are few and alone.

    Two box convolutions count them in the centre box and in centre plus surround. Where the counts
    agree the ring is empty, and what the centre box holds is an artifact.

    Args:
        config: Size of the boxes, and how many pixels an artifact has.
        marked: (N, H, W).
        moved: (N, H, W): of an artifact at least one pixel is of these, if they are given.

    Returns:
        (N, H, W) uint8: 1 in an artifact's pixels, 0 elsewhere.
    """
    # The frames become one tall image, with empty rows between them so that no box reaches from
    # one into the next: one OpenCV call serves all of them.
    count, height, width = marked.shape
    centre = config.centre_width, config.centre_height
    outer = config.centre_width + 2 * config.surround, config.centre_height + 2 * config.surround
    stacked = np.zeros((count, height + outer[1] // 2, width), np.uint8)
    stacked[:, :height] = marked
    image = stacked.reshape(-1, width)
    inside = _count(image, centre)
    hits = (inside == _count(image, outer)) & (inside >= config.min_pixels)
    hits &= inside <= config.max_pixels
    if moved is not None:
        moving = np.zeros_like(stacked)
        moving[:, :height] = moved
        hits &= _count(moving.reshape(-1, width), centre) > 0
    hits = hits.astype(np.uint8)
    hits.reshape(stacked.shape)[:, height:] = 0  # a box between frames sees less
    found = cv2.min(cv2.dilate(hits, np.ones(centre[::-1], np.uint8)), image)
    return np.asarray(found, np.uint8).reshape(stacked.shape)[:, :height]


def _count(marked: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint16]:
    """Marked pixels in a (width, height) box around each pixel; outside there are none."""
    counts = cv2.boxFilter(marked, cv2.CV_16U, box, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(counts, np.uint16)
