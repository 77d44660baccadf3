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
    centre_height: Annotated[int, Within(1, 15)] = 5
    """Height of the box that must hold the whole artifact (odd)."""
    centre_width: Annotated[int, Within(1, 15)] = 7
    """Width of the box that must hold the whole artifact (odd)."""
    surround: Annotated[int, Within(1, 16)] = 6
    """Width of the ring around the centre box in which nothing may be bright."""
    min_pixels: Annotated[int, Within(1, 225)] = 1
    """Fewest bright pixels in the centre box."""
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
    """Centre-surround detector: bright in a small box, nothing bright in the ring around it.

    Two box convolutions count the bright pixels in the centre box and in centre plus surround;
    where the counts agree the ring is empty, and the bright pixels of that centre box are an
    artifact. The ring is wide because a figure of the artifact's colour, such as a boss in a dark
    jacket, falls into several small parts, but these lie close together. The detector has no state
    and needs no warm-up: the projection has brought every background to one level and everything
    but artifacts below it. It looks at the newest frames alone.
    """

    def __init__(self, config: ArtifactDetectorConfig) -> None:
        """Build the detector; ``config`` has checked its own fields."""
        self.config = config
        self._centre = (config.centre_width, config.centre_height)
        self._outer = (
            config.centre_width + 2 * config.surround,
            config.centre_height + 2 * config.surround,
        )

    def __call__(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the pixels of artifacts in the newest frames of observations.

        Args:
            obs: (N, C, H, W) uint8, any N and C.

        Returns:
            (N, H, W) uint8: 1 in an artifact's pixels, 0 elsewhere.

        Raises:
            ValueError: If ``obs`` is not a uint8 array of four dimensions.
        """
        if obs.ndim != 4 or obs.dtype != np.uint8:
            raise ValueError(f"obs must be (N, C, H, W) uint8, got {obs.shape} {obs.dtype}")
        frames = obs[:, -1]
        pixels = np.zeros(frames.shape, np.uint8)
        bright = frames >= self.config.threshold
        # Most frames hold nothing bright, and need no more than this.
        not_dark = np.flatnonzero(bright.any(axis=(1, 2)))
        if len(not_dark):
            pixels[not_dark] = self._pixels(bright[not_dark])
        return pixels

    def _pixels(self, bright: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The bright pixels of (N, H, W) that belong to an artifact."""
        # The environments become one tall image, with empty rows between them so that no box
        # reaches from one into the next: one OpenCV call serves all of them.
        count, height, width = bright.shape
        gap = self._outer[1] // 2
        stacked = np.zeros((count, height + gap, width), np.uint8)
        stacked[:, :height] = bright
        image = stacked.reshape(-1, width)
        centre = self._count(image, self._centre)
        outer = self._count(image, self._outer)
        hits = ((centre == outer) & (centre >= self.config.min_pixels)).astype(np.uint8)
        hits.reshape(stacked.shape)[:, height:] = 0  # a box around a row between frames sees less
        found = cv2.min(cv2.dilate(hits, np.ones(self._centre[::-1], np.uint8)), image)
        return np.asarray(found, np.uint8).reshape(stacked.shape)[:, :height]

    @staticmethod
    def _count(bright: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint16]:
        """Bright pixels in a (width, height) box around each pixel; outside counts as dark."""
        counts = cv2.boxFilter(
            bright, cv2.CV_16U, box, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(counts, np.uint16)
