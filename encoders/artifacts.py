"""Find small isolated bright objects ("artifacts") in single-channel frames with OpenCV.

NumPy and OpenCV only. The detector runs once on each new frame, next to the emulator. It also
judges reconstructions: what it no longer finds there, the encoder has lost.
"""

from collections.abc import Sequence
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
    """Centre-surround detector: something in a small box, nothing in the ring around it.

    Something is what is bright. For games in which small things have no level of their own, it is
    what is in front of the backdrop, whatever its level, if at least one of its pixels has changed
    since an older frame: what rests is scenery.

    Two box convolutions count such pixels in the centre box and in centre plus surround; where the
    counts agree the ring is empty, and the pixels of that centre box are an artifact. The ring is
    wide because a figure of the artifact's colour, such as a boss in a dark jacket, falls into
    several small parts, but these lie close together. The detector has no state
    and needs no warm-up.
    """

    def __init__(
        self, config: ArtifactDetectorConfig, backdrop: Sequence[Sequence[tuple[int, int]]] = ()
    ) -> None:
        """Build the detector; ``config`` has checked its own fields.

        Args:
            config: What counts as small.
            backdrop: For each row the levels that are behind things there, first and last of each
                range. If left out, something is what is bright.
        """
        self.config = config
        self._is_front = np.ones((len(backdrop), 256), np.bool_)
        for is_front, ranges in zip(self._is_front, backdrop, strict=True):
            for first, last in ranges:
                is_front[first : last + 1] = False
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
        marked = moved = self._marked(frames)
        if len(self._is_front):
            moved = marked & (obs[:, :-1] != frames[:, None]).any(axis=1)
        # Most frames hold nothing bright, and need no more than this.
        not_empty = np.flatnonzero(moved.any(axis=(1, 2)))
        if len(not_empty):
            pixels[not_empty] = self._pixels(marked[not_empty], moved[not_empty])
        return pixels

    def _marked(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which pixels of (N, H, W) are something."""
        if not len(self._is_front):
            return frames >= self.config.threshold
        rows = np.arange(frames.shape[1], dtype=np.int64)[:, None]
        return np.asarray(self._is_front[rows, frames], np.bool_)

    def _pixels(self, marked: NDArray[np.bool_], moved: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The marked pixels of (N, H, W) that belong to an artifact, some of which have moved."""
        # The environments become one tall image, with empty rows between them so that no box
        # reaches from one into the next: one OpenCV call serves all of them.
        count, height, width = marked.shape
        gap = self._outer[1] // 2
        stacked = np.zeros((2, count, height + gap, width), np.uint8)
        stacked[0, :, :height], stacked[1, :, :height] = marked, moved
        image, moving = stacked.reshape(2, -1, width)
        centre = self._count(image, self._centre)
        outer = self._count(image, self._outer)
        hits = (centre == outer) & (centre >= self.config.min_pixels)
        hits &= centre <= self.config.max_pixels
        if len(self._is_front):
            hits &= self._count(moving, self._centre) > 0
        hits = hits.astype(np.uint8)
        hits.reshape(stacked[0].shape)[:, height:] = 0  # a box between frames sees less
        found = cv2.min(cv2.dilate(hits, np.ones(self._centre[::-1], np.uint8)), image)
        return np.asarray(found, np.uint8).reshape(stacked[0].shape)[:, :height]

    @staticmethod
    def _count(bright: NDArray[np.uint8], box: tuple[int, int]) -> NDArray[np.uint16]:
        """Bright pixels in a (width, height) box around each pixel; outside counts as dark."""
        counts = cv2.boxFilter(
            bright, cv2.CV_16U, box, normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(counts, np.uint16)
