"""A level for every colour of any game, and what is behind things in every row of its screen.

``envs.projection`` needs a background of one kind, and small things of a colour that nothing large
has. Here a colour may be a wall in one row and a ball in the next. Every colour keeps a level of
its own. Which of them are the backdrop is told for each row, so that a detector can look for small
things in front of it.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from envs.projection import (
    ARTIFACT,
    BACKGROUND,
    BRIGHTEST_OTHER,
    Projection,
    Range,
    label,
    tell_apart,
)

FILLED = 0.25
"""A colour with a larger share of a row, on average over all frames, is behind things there."""
FEWEST = 20
"""Pixels in front of something else, in all frames, from which on a colour is one of things."""
EVERY = 3
"""Of so many frames one is searched for small things."""
SMALL = (23, 9, 24)
"""Height and width of a small thing at most, and its pixels."""
FEWEST_ALONE = 10
"""Small things that fly alone from which on a colour can be theirs."""
MOSTLY = 0.75
"""Share of a colour's parts that are such things, from which on it is theirs."""
SOLID = 0.55
"""Smallest share of its box that it fills."""
APART = 6
"""Pixels around it in which there is nothing else of its colour."""
BAR, NEARBY = 8, 10
"""Width of the black bar that many games have at the left edge, and rows above and below of which
none must change in it."""
DARK = (0, 64)
"""Levels of the darker colours of things."""
DIM, LIGHT = (80, 112), (144, 176)
"""Levels of the darker and of the brighter half of what is only ever behind things. The most
frequent colour has ``BACKGROUND``. So everything differs from that by 16 levels at least, things by
64, and things from anything behind them by 16."""
BRIGHT = (192, ARTIFACT)
"""Levels of the brighter colours of things."""


class Roles(NamedTuple):
    """What K colours are to a game."""

    behind: NDArray[np.bool_]
    """(H, K): in which rows each is behind things."""
    is_thing: NDArray[np.bool_]
    """(K,): whether it is ever in front."""
    main: int
    """The most frequent colour."""


def fit_palette(frames: NDArray[np.uint8]) -> Projection:
    """Give every colour of real frames a level, and say which are the backdrop of each row.

    Args:
        frames: (T, H, W, 3) uint8, RGB, from as many situations as possible.

    Returns:
        The projection. A colour that the frames do not show has a dark level by its brightness.

    Raises:
        ValueError: If ``frames`` has another shape or type, or more than 256 colours.
    """
    without_red, compromises = tell_apart(frames)
    colours, labels = label(frames, without_red)
    roles = _roles(labels, len(colours))
    brightness = np.array(colours) @ np.array([0.299, 0.587, 0.114])  # luminance of BT.601
    levels = _levels(roles, brightness)
    return Projection(
        background=(),
        artifacts=(),
        without_red=without_red,
        compromises=compromises,
        levels=tuple(zip(colours, levels.tolist(), strict=True)),
        backdrop=tuple(_ranges(levels, behind) for behind in roles.behind),
        live=_live(labels),
        alone=tuple(levels[_alone(labels, roles)].tolist()),
    )


def _roles(labels: NDArray[np.uint8], count: int) -> Roles:
    """Of the numbers of colours in frames, (T, H, W)."""
    height = labels.shape[1]
    pixels = np.stack(
        [np.bincount(labels[:, row].ravel(), minlength=count) for row in range(height)]
    )
    main = int(pixels.sum(axis=0).argmax())
    behind = pixels > FILLED * labels[:, 0].size
    behind[:, main] = True
    in_front = np.where(behind, 0, pixels).sum(axis=0)
    return Roles(behind, in_front >= FEWEST, main)


def _levels(roles: Roles, brightness: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level of each colour: the darker things, what is behind, the brighter things."""
    order = np.argsort(brightness, kind="stable")
    order = order[order != roles.main]
    things = order[roles.is_thing[order]]
    is_wall = np.asarray(roles.behind.any(axis=0)) & ~roles.is_thing
    walls = order[is_wall[order]]
    levels = np.rint(BRIGHTEST_OTHER * brightness / 255).astype(np.int64)  # of what is neither
    for colours, (lower, upper) in ((things, (DARK, BRIGHT)), (walls, (DIM, LIGHT))):
        half = len(colours) // 2
        levels[colours[:half]] = np.linspace(lower[0], lower[1], half).round()
        # From the top, so that a single one is the brightest.
        rest = np.linspace(upper[1], upper[0], len(colours) - half)
        levels[colours[half:]] = rest.round()[::-1]
    levels[roles.main] = BACKGROUND
    return levels


def _live(labels: NDArray[np.uint8]) -> tuple[int, ...]:
    """First column of each row in which frames (T, H, W) differ: 0, ``BAR``, or W if none do."""
    differs = (labels != labels[0]).any(axis=0)
    in_bar = differs[:, :BAR].any(axis=1, keepdims=True).astype(np.uint8)
    has_bar = cv2.dilate(in_bar, np.ones((2 * NEARBY + 1, 1), np.uint8))[:, 0] == 0
    first = np.where(has_bar, BAR, 0)
    return tuple(np.where(differs.any(axis=1), first, labels.shape[2]).tolist())


def _alone(labels: NDArray[np.uint8], roles: Roles) -> NDArray[np.intp]:
    """Numbers of the colours of which most parts are small, solid, and alone in the backdrop."""
    rows = np.arange(labels.shape[1], dtype=np.int64)[:, None]
    frames = [(frame, ~roles.behind[rows, frame]) for frame in labels[::EVERY]]
    found: list[int] = []
    for colour in np.flatnonzero(roles.is_thing):
        parts = alone = 0
        for frame, front in frames:
            own = front & (frame == colour)
            if own.any():
                is_alone = _are_alone(own, front & ~own)
                parts += len(is_alone)
                alone += int(is_alone.sum())
        if alone >= max(FEWEST_ALONE, MOSTLY * parts):
            found.append(int(colour))
    return np.array(found, np.intp)


def _are_alone(own: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which parts of a colour, (H, W), are small, solid and alone: (K,)."""
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(own.astype(np.uint8))
    _, _, widths, heights, areas = boxes.T
    height, width, pixels = SMALL
    alone = (widths <= width) & (heights <= height) & (areas <= pixels)
    alone &= areas >= SOLID * widths * heights
    beside = cv2.dilate(others.astype(np.uint8), np.ones((3, 3), np.uint8))
    alone &= np.bincount(numbers.ravel(), beside.ravel(), minlength=count) == 0
    for number in np.flatnonzero(alone[1:]) + 1:
        left, top = boxes[number, :2] - APART
        right, bottom = boxes[number, :2] + boxes[number, 2:4] + APART
        near = numbers[max(0, top) : bottom, max(0, left) : right]
        alone[number] = not ((near != 0) & (near != number)).any()
    return alone[1:]


def _ranges(levels: NDArray[np.int64], behind: NDArray[np.bool_]) -> tuple[Range, ...]:
    """Which levels are closest to one of those that are behind, from first to last."""
    used = np.unique(levels)
    nearest = used[np.abs(np.arange(256)[:, None] - used).argmin(axis=1)]
    is_behind = np.isin(nearest, levels[behind])
    edges = np.flatnonzero(np.diff(is_behind.astype(np.int8), prepend=0, append=0))
    return tuple((int(first), int(end) - 1) for first, end in edges.reshape(-1, 2))
