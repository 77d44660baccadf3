"""RGB to one channel in which small objects stay visible.

Luminance, the usual choice, leaves Kung-Fu Master's thrown knife 11 of 255 grey levels away from
the background; any loss on such an image ignores it. An Atari 2600 game draws with few colours, so
its own palette says what each of them is for: one fills whole scan lines, most make up bodies, and
a few occur as small things that fly alone. That decides which level a colour gets.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green, blue in 0..255."""
Range = tuple[int, int]
"""First and last of some levels."""
BACKGROUND, ARTIFACT, BRIGHTEST_OTHER = 128, 255, 68
"""Levels: every background colour, every artifact colour, and the brightest of all the others,
which run from 0 by their brightness. So an artifact is 127 levels above the background and
everything else at least 60 below it, colours that were never seen included."""


@dataclass(frozen=True)
class Projection:
    """A level for every colour: ``BACKGROUND``, ``ARTIFACT`` or dark.

    Only artifacts are brighter than the background, so neither an overlap with a figure nor a
    blur between a figure and the background looks like one.
    """

    background: tuple[Colour, ...]
    """Colours of the background."""
    artifacts: tuple[Colour, ...]
    """Colours of small things that fly alone."""
    without_red: bool = False
    """Whether green and blue name a colour, in place of red and green."""
    compromises: tuple[str, ...] = ()
    """What of the game's colours could not be told, one sentence each."""
    levels: tuple[tuple[Colour, int], ...] = ()
    """Colours that have other levels than these rules give them."""
    backdrop: tuple[tuple[Range, ...], ...] = ()
    """For each row the levels that are behind things there, first and last of each range. If left
    out, only what is brighter than the background can be an artifact."""
    live: tuple[int, ...] = ()
    """For each row with a backdrop the first column in which anything ever changes; the width if
    nothing does."""
    alone: tuple[int, ...] = ()
    """Levels of colours that make up small things which fly alone, and hardly anything else."""

    @cached_property
    def _levels(self) -> NDArray[np.uint8]:
        """(65536,) uint8: the level of a colour by its ``_key``."""
        low, high = np.meshgrid(np.arange(256), np.arange(256))
        # Close to luminance, which has little blue.
        brightness = (2 * low + high if self.without_red else low + 2 * high) / (3 * 255)
        levels = np.rint(BRIGHTEST_OTHER * brightness).astype(np.uint8)
        table = np.empty(1 << 16, np.uint8)
        table[_key(np.stack([low, high], axis=-1).astype(np.uint8))] = levels
        for colours, level in ((self.background, BACKGROUND), (self.artifacts, ARTIFACT)):
            if colours:
                table[_key(np.array(colours, np.uint8), self.without_red)] = level
        for colour, level in self.levels:
            table[_key(np.array(colour, np.uint8)[None], self.without_red)] = level
        return table

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Project a batch of images.

        Of the Atari's palette red and green alone name every colour but a dark blue, which has
        those of black; where both occur, green and blue do. Two bytes side by side are an index
        that costs no arithmetic.

        Args:
            rgb: (N, H, W, 3) uint8, contiguous along its last axis.

        Returns:
            (N, H, W) uint8.
        """
        keys = np.ascontiguousarray(_key(rgb, self.without_red))
        levels = cv2.LUT(keys.reshape(-1, keys.shape[-1]), self._levels)
        return np.asarray(levels, np.uint8).reshape(keys.shape)


def fit_projection(
    frames: NDArray[np.uint8],
    *,
    min_isolated: float = 0.1,
    min_seen: int = 10,
    max_height: int = 4,
    max_width: int = 8,
) -> Projection:
    """Choose a projection from real frames.

    A colour is background if nine tenths of its pixels lie on scan lines that it fills for more
    than half. Any other colour is an artifact colour if at least ``min_isolated`` of its connected
    parts are small and lie in nothing but background; parts at the frame's edge are not judged.
    Faces and belts are as small as a knife, but they do not fly alone.

    If no colour fills a scan line, the most frequent one is the background. If two colours
    differ neither in red and green nor in green and blue, they count as one. Both are noted as
    compromises.

    Args:
        frames: (T, H, W, 3) uint8, RGB, from as many situations as possible.
        min_isolated: Smallest share of a colour's parts that are small and isolated.
        min_seen: Smallest number of such parts that is taken for evidence.
        max_height: Largest height of a small part, in pixels.
        max_width: Largest width of a small part, in pixels.

    Returns:
        The projection; without any artifact colour if none was seen.

    Raises:
        ValueError: If ``frames`` has another shape or type, or more than 256 colours.
    """
    without_red, compromises = tell_apart(frames)
    colours, labels = label(frames, without_red)
    background = np.array([_fills_lines(labels == n) for n in range(len(colours))])
    if not background.any():
        background[np.bincount(labels.ravel()).argmax()] = True
        why = "no colour fills scan lines, so the most frequent one is the background"
        compromises = (*compromises, why)
    parts, isolated = np.zeros(len(colours), int), np.zeros(len(colours), int)
    for frame in labels:
        empty = background[frame]
        for n in np.flatnonzero(np.bincount(frame[~empty], minlength=len(colours))):
            for top, left, height, width in _parts(frame == n):
                parts[n] += 1
                if height <= max_height and width <= max_width:
                    around = (slice(top - 1, top + height + 1), slice(left - 1, left + width + 1))
                    isolated[n] += (empty[around] | (frame[around] == n)).all()
    artifact = isolated >= np.maximum(min_seen, min_isolated * parts)
    return Projection(
        tuple(colour for colour, chosen in zip(colours, background, strict=True) if chosen),
        tuple(colour for colour, chosen in zip(colours, artifact, strict=True) if chosen),
        without_red,
        compromises,
    )


def _key(colours: NDArray[np.uint8], without_red: bool = False) -> NDArray[np.uint16]:
    """Two channels of (..., 2 or 3) uint8 as one number, the first in the low byte: (...) uint16.

    They are red and green, or green and blue.
    """
    pair = slice(1, 3) if without_red else slice(0, 2)
    return colours[..., pair].view("<u2")[..., 0]


def tell_apart(frames: NDArray[np.uint8]) -> tuple[bool, tuple[str, ...]]:
    """By which two channels the colours of (T, H, W, 3) can be told apart.

    Returns:
        ``Projection.without_red``, and what cannot be told by either pair.

    Raises:
        ValueError: If ``frames`` has another shape or type.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be (T, H, W, 3) uint8, got {frames.shape} {frames.dtype}")
    if not _confused(frames, without_red=False):
        return False, ()
    if not (confused := _confused(frames, without_red=True)):
        return True, ()
    return False, (f"{confused} of the colours count as others, which they resemble",)


def _confused(frames: NDArray[np.uint8], *, without_red: bool) -> int:
    """How many colours of (T, H, W, 3) have the key of another one."""
    whole = np.ascontiguousarray(frames).view("u1").reshape(-1, 3).astype(np.uint32)
    colours = np.unique(whole @ np.array([1, 1 << 8, 1 << 16], np.uint32))
    keys = colours >> 8 if without_red else colours & 0xFFFF
    return len(colours) - len(np.unique(keys))


def label(frames: NDArray[np.uint8], without_red: bool) -> tuple[list[Colour], NDArray[np.uint8]]:
    """The colours of (T, H, W, 3), ordered by key, and the number of each pixel's: (T, H, W)."""
    keys = _key(frames, without_red)
    present = np.flatnonzero(np.bincount(keys.ravel()))
    if len(present) > 256:
        raise ValueError(f"frames must have at most 256 colours, got {len(present)}")
    channel = 0 if without_red else 2
    other = np.zeros(1 << 16, np.uint8)
    other[keys] = frames[..., channel]
    numbers = np.zeros(1 << 16, np.uint8)
    numbers[present] = np.arange(len(present))
    found = [(int(key) & 255, int(key) >> 8, int(other[key])) for key in present]
    colours = [(rest, low, high) if without_red else (low, high, rest) for low, high, rest in found]
    return colours, numbers[keys]


def _fills_lines(mask: NDArray[np.bool_]) -> bool:
    """Whether a colour, (T, H, W), keeps to scan lines that it fills for more than half."""
    per_line = mask.sum(axis=2)
    return per_line[per_line > mask.shape[2] // 2].sum() > 0.9 * per_line.sum()


def _parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Top, left, height, width of the connected parts of (H, W) that touch no edge: (K, 4)."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    boxes = np.asarray(stats, np.int32)[1:, [1, 0, 3, 2]]
    ends = boxes[:, :2] + boxes[:, 2:]
    inside = (boxes[:, :2] > 0).all(axis=1) & (ends < mask.shape).all(axis=1)
    return boxes[inside]
