"""Find small isolated bright objects ("artifacts") in single-channel frames with OpenCV.

numpy and OpenCV only: the detector runs once on each new frame, next to the emulator, and its
mask then travels beside the frame as data. It also judges reconstructions: what it no longer finds
there, the encoder has lost.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ArtifactDetectorConfig:
    """What counts as a small artifact. Lengths are in pixels of the observation."""

    threshold: int = 192
    """Grey level from which a pixel is bright (1 to 255)."""
    centre_height: int = 5
    """Height of the box that must hold the whole artifact (odd)."""
    centre_width: int = 7
    """Width of the box that must hold the whole artifact (odd)."""
    surround: int = 6
    """Width of the ring around the centre box in which nothing may be bright."""
    min_pixels: int = 1
    """Fewest bright pixels in the centre box."""
    margin: int = 2
    """Pixels by which an artifact is grown on every side into its region (0 to 16)."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if not 1 <= self.threshold <= 255:
            raise ValueError(f"threshold must be from 1 to 255, got {self.threshold}")
        for name in ("centre_height", "centre_width"):
            length = getattr(self, name)
            if not (1 <= length <= 15 and length % 2):
                raise ValueError(f"{name} must be an odd number from 1 to 15, got {length}")
        if not 1 <= self.surround <= 16:
            raise ValueError(f"surround must be from 1 to 16, got {self.surround}")
        if not 1 <= self.min_pixels <= self.centre_height * self.centre_width:
            raise ValueError(
                f"min_pixels must be from 1 to {self.centre_height * self.centre_width} "
                f"(the centre box), got {self.min_pixels}"
            )
        if not 0 <= self.margin <= 16:
            raise ValueError(f"margin must be from 0 to 16, got {self.margin}")


class ArtifactDetector:
    """Centre-surround detector: bright in a small box, nothing bright in the ring around it.

    Two box convolutions count the bright pixels in the centre box and in centre plus surround;
    where the counts agree the ring is empty, and the bright pixels of that centre box are an
    artifact. The ring is wide because a figure of the artifact's colour, such as a boss in a dark
    jacket, falls into several small parts, but these lie close together. Without state and without
    warm-up: the projection has brought every background to one level and everything but artifacts
    below it.
    """

    def __init__(self, config: ArtifactDetectorConfig) -> None:
        """Build the detector; ``config`` has checked its own fields."""
        self.config = config
        self._centre = (config.centre_width, config.centre_height)
        self._outer = (
            config.centre_width + 2 * config.surround,
            config.centre_height + 2 * config.surround,
        )
        self._grown = np.ones((2 * config.margin + 1, 2 * config.margin + 1), np.uint8)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the artifact regions of a batch of frames.

        Args:
            frames: (N, H, W) uint8, any N.

        Returns:
            (N, H, W) uint8: 1 in an artifact's region, 0 elsewhere.

        Raises:
            ValueError: If ``frames`` is not a uint8 array of three dimensions.
        """
        if frames.ndim != 3 or frames.dtype != np.uint8:
            raise ValueError(f"frames must be (N, H, W) uint8, got {frames.shape} {frames.dtype}")
        regions = np.zeros(frames.shape, np.uint8)
        bright = frames >= self.config.threshold
        # Most frames hold nothing bright, and need no more than this.
        held = np.flatnonzero(bright.any(axis=(1, 2)))
        if len(held):
            regions[held] = self._regions(bright[held])
        return regions

    def _regions(self, bright: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Artifact regions of (N, H, W) frames by their bright pixels."""
        # The environments become one tall image, with empty rows between them so that no box
        # reaches from one into the next: one OpenCV call serves all of them.
        count, height, width = bright.shape
        gap = max(self._outer[1] // 2, self.config.margin)
        stacked = np.zeros((count, height + gap, width), np.uint8)
        stacked[:, :height] = bright
        image = stacked.reshape(-1, width)
        inside = self._count(image, self._centre)
        around = self._count(image, self._outer)
        hits = ((inside == around) & (inside >= self.config.min_pixels)).astype(np.uint8)
        hits.reshape(stacked.shape)[:, height:] = 0  # a box around a row between frames sees less
        artifacts = cv2.min(cv2.dilate(hits, np.ones(self._centre[::-1], np.uint8)), image)
        regions = np.asarray(cv2.dilate(artifacts, self._grown), np.uint8)
        return regions.reshape(stacked.shape)[:, :height]

    @staticmethod
    def _count(bright: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint16]:
        """Bright pixels in a (width, height) box around each pixel; outside counts as dark."""
        counts = cv2.boxFilter(
            bright, cv2.CV_16U, box, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(counts, np.uint16)
