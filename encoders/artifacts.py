"""Find small isolated objects ("artifacts") in single-channel frames with OpenCV.

numpy and OpenCV only: the detector runs once on each new frame, next to the emulator, and its
mask then travels beside the frame as data.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ArtifactDetectorConfig:
    """What counts as a small artifact. Lengths are in pixels of the observation."""

    contrast: int = 40
    """Smallest difference from the background of the scan line, in grey levels (1 to 254)."""
    centre_height: int = 3
    """Height of the box that must hold the whole artifact (odd)."""
    centre_width: int = 7
    """Width of the box that must hold the whole artifact (odd)."""
    surround: int = 1
    """Width of the ring around the centre box that must be empty."""
    min_pixels: int = 3
    """Fewest foreground pixels in the centre box."""
    margin: int = 2
    """Pixels by which an artifact is grown on every side into its region (0 to 16)."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if not 1 <= self.contrast <= 254:
            raise ValueError(f"contrast must be from 1 to 254, got {self.contrast}")
        for name in ("centre_height", "centre_width"):
            length = getattr(self, name)
            if not (1 <= length <= 15 and length % 2):
                raise ValueError(f"{name} must be an odd number from 1 to 15, got {length}")
        if not 1 <= self.surround <= 8:
            raise ValueError(f"surround must be from 1 to 8, got {self.surround}")
        if not 1 <= self.min_pixels <= self.centre_height * self.centre_width:
            raise ValueError(
                f"min_pixels must be from 1 to {self.centre_height * self.centre_width} "
                f"(the centre box), got {self.min_pixels}"
            )
        if not 0 <= self.margin <= 16:
            raise ValueError(f"margin must be from 0 to 16, got {self.margin}")


class ArtifactDetector:
    """Centre-surround detector: foreground in a small box, nothing in the ring around it.

    A pixel is foreground when it differs by at least ``contrast`` from the median of its row.
    The Atari 2600 draws one background colour per scan line, so the row median is the background
    whatever the floor, without a warm-up and without state. Two box convolutions then count the
    foreground in the centre box and in centre plus surround; where the counts agree the ring is
    empty, and the foreground of that centre box is an artifact. Its region is that foreground,
    grown by ``margin``.
    """

    def __init__(self, config: ArtifactDetectorConfig) -> None:
        """Build the detector; ``config`` has checked its own fields."""
        self.config = config
        self._centre = (config.centre_width, config.centre_height)
        self._outer = (
            config.centre_width + 2 * config.surround,
            config.centre_height + 2 * config.surround,
        )

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
        count, height, width = frames.shape
        # The environments become one tall image, with empty rows between them so that no box
        # reaches from one into the next: one OpenCV call serves all of them.
        # The columns beside the frame count as occupied: what its edge cuts off is not judged.
        gap, edge = max(self._outer[1] // 2, self.config.margin), self._outer[0] // 2
        tall = np.zeros((count, height + gap, width + 2 * edge), np.uint8)
        tall[:, :, :edge] = tall[:, :, edge + width :] = 1
        tall[:, :height, edge : edge + width] = self._foreground(frames)
        foreground = tall.reshape(-1, width + 2 * edge)
        inside = self._count(foreground, self._centre)
        around = self._count(foreground, self._outer)
        hits = ((inside == around) & (inside >= self.config.min_pixels)).astype(np.uint8)
        grown = 2 * self.config.margin + 1
        artifacts = cv2.min(cv2.dilate(hits, np.ones(self._centre[::-1], np.uint8)), foreground)
        regions = np.asarray(cv2.dilate(artifacts, np.ones((grown, grown), np.uint8)), np.uint8)
        return regions.reshape(tall.shape)[:, :height, edge : edge + width]

    def _foreground(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Pixels that stand out from their scan line: (N, H, W) uint8 to (N, H, W) bool."""
        # Every fourth column is enough for a median and four times cheaper.
        columns = np.sort(frames[:, :, ::4], axis=2)
        background = columns[:, :, columns.shape[2] // 2, None]
        # max - min is the absolute difference without leaving uint8.
        difference = np.maximum(frames, background) - np.minimum(frames, background)
        return difference >= self.config.contrast

    @staticmethod
    def _count(foreground: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint8]:
        """Foreground pixels in a (width, height) box around each pixel; outside counts as empty."""
        counts = cv2.boxFilter(
            foreground, cv2.CV_8U, box, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(counts, np.uint8)
