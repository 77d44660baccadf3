"""A level for every colour of any game, and what is behind things in every row of its screen.

``envs.projection`` needs a background of one kind, and small things of a colour that nothing large
has. Here a colour may be a wall in one row and a ball in the next. Every colour keeps a level of
its own. Which of them are the backdrop is told for each row, so that a detector can look for small
things in front of it.
"""

from typing import NamedTuple

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


def _ranges(levels: NDArray[np.int64], behind: NDArray[np.bool_]) -> tuple[Range, ...]:
    """Which levels are closest to one of those that are behind, from first to last."""
    used = np.unique(levels)
    nearest = used[np.abs(np.arange(256)[:, None] - used).argmin(axis=1)]
    is_behind = np.isin(nearest, levels[behind])
    edges = np.flatnonzero(np.diff(is_behind.astype(np.int8), prepend=0, append=0))
    return tuple((int(first), int(end) - 1) for first, end in edges.reshape(-1, 2))
