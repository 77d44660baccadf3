"""How far a player has walked: his place in the picture, and how far the picture has scrolled."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Screens = NDArray[np.uint8]
"""Native RGB of M games, (M, H, W, 3)."""
Numbers = NDArray[np.int64]
"""One for each of M games, (M,)."""
EVERY = 8
"""Of so many rows one is read. Walls and players are tall."""


@dataclass(frozen=True)
class Way:
    """How far the player is, to either side, from where he stood when the scene began.

    That is his place in the picture, and how far the picture has scrolled. What any side-scrolling
    game shows.
    """

    name: str
    rows: tuple[int, int]
    """First row of the wall and the row behind its last."""
    columns: tuple[int, int]
    """First column of wall and floor and the column behind its last."""
    player_rows: tuple[int, int]
    """First row in which the player stands and the row behind his last."""
    player_colour: Colour
    full: int
    """Pixels that are shown as 1."""
    reach: int = 6
    """Most pixels that the picture scrolls in one agent step."""
    player_width: int = 9
    """Columns that he takes."""
    player_pixels: int = 4
    """Pixels of his colour in the rows that are read, below which he is not there."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its values: one."""
        return (self.name,)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """First row, row behind the last, first column, column behind the last."""
        return self.rows[0], self.player_rows[1], *self.columns


class WayReader:
    """Follows the players of N games from frame to frame."""

    def __init__(self, way: Way, num_envs: int) -> None:
        """Prepare for ``num_envs`` games that nobody has seen yet."""
        self._way = way
        height, width = len(range(*way.rows, EVERY)), way.columns[1] - way.columns[0]
        self._wall = np.zeros((num_envs, height, width, 3), np.uint8)
        self._scrolled = np.zeros(num_envs, np.int64)
        self._place = np.zeros(num_envs, np.int64)
        self._start = np.zeros(num_envs, np.int64)
        self._waits = np.ones(num_envs, bool)  # for the player to be seen in this scene

    def read(self, screens: Screens, envs: Numbers, scene: NDArray[np.bool_]) -> Numbers:
        """Pixels (M,) that each player is away from where he was first seen in the scene.

        Args:
            screens: The next ones of these games.
            envs: Of which games they are.
            scene: (M,), whether a scene begins with them.
        """
        wall = screens[:, slice(*self._way.rows, EVERY), slice(*self._way.columns)]
        scrolled = self._scrolled[envs] - motion(self._wall[envs], wall, self._way.reach)
        self._wall[envs] = wall
        self._scrolled[envs] = np.where(scene, 0, scrolled)
        found = place(self._way, screens)
        self._place[envs] = np.where(found < 0, self._place[envs], found)  # where he was seen last
        position = self._scrolled[envs] + self._place[envs]
        waits = self._waits[envs] | scene
        self._start[envs] = np.where(waits, position, self._start[envs])
        self._waits[envs] = waits & (found < 0)
        return np.abs(position - self._start[envs])


def place(way: Way, screens: Screens) -> Numbers:
    """Column of the player, where most of his colour is; -1 where he is not seen."""
    rows = slice(*way.player_rows, EVERY)
    area = np.ascontiguousarray(screens[:, rows, slice(*way.columns)])
    count, height, width, _ = area.shape
    tall = area.reshape(count * height, width, 3)  # one image: OpenCV is called once
    colour = np.array(way.player_colour)
    his = np.asarray(cv2.inRange(tall, colour, colour), np.uint8) >> 7
    sums = his.reshape(count, height, width).sum(axis=1, dtype=np.int32).cumsum(axis=1)
    found = sums[:, way.player_width :] - sums[:, : -way.player_width]
    column = found.argmax(axis=1)
    seen = found[np.arange(count), column] >= way.player_pixels
    return np.where(seen, column, -1)


def motion(before: Screens, after: Screens, reach: int) -> Numbers:
    """Pixels by which walls lie further right than in the frame before; 0 if nothing fits.

    Column sums of their red are compared, moved by up to ``reach`` pixels. The smallest difference
    tells the motion.

    Args:
        before: Walls behind the fight.
        after: The same in the next frame.
        reach: Most pixels that a picture scrolls in one agent step.
    """
    moved = np.zeros(len(before), np.int64)
    changed = np.flatnonzero((before != after).any(axis=(1, 2, 3)))
    if not len(changed):  # most pictures stand still
        return moved
    sums, fixed = (wall[changed, :, :, 0].sum(axis=1, dtype=np.int32) for wall in (before, after))
    fixed = fixed[:, reach:-reach]
    windows = np.lib.stride_tricks.sliding_window_view(sums, fixed.shape[1], axis=1)
    differences = np.abs(windows - fixed[:, None]).sum(axis=2)  # (C, 2 * reach + 1)
    best = differences.argmin(axis=1)
    smallest = differences[np.arange(len(changed)), best]
    fits = smallest <= 0.02 * fixed.sum(axis=1)
    still = differences[:, reach] == smallest  # a plain wall tells of no motion
    moved[changed] = np.where(fits & ~still, reach - best, 0)
    return moved
