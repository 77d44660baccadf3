"""What a screen shows beside the play area: health, energy, floor, clock, and how far one went.

A game declares its gauges as data. Each kind knows where it is drawn, and reads native screens.
What it takes memory to tell is in ``envs.gauge_reader``. Nothing here reads the RAM.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HEALTH, OPPONENT, STAGE, CLOCK, WAY = "health", "opponent", "stage", "clock", "way"
"""Names of gauges that are known everywhere: the player's health, the energy of a boss, the number
of the floor or level, the time that is left, and how far the player is from where he began."""
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Bar:
    """A bar of one colour, one pixel high where it is read; its share of the columns is the value.

    What the game itself takes of a bar is no damage.
    """

    name: str
    row: int
    columns: tuple[int, int]
    """First column of the full bar and the column behind its last."""
    colour: Colour
    taken_by: str = ""
    """Gauge at whose end the game takes all of the bar: a clock."""
    counted_by: str = ""
    """Gauge at whose end the game turns the bar into points, one pixel a step: a beaten boss."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its values: one."""
        return (self.name,)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """First row, row behind the last, first column, column behind the last."""
        return self.row, self.row + 1, *self.columns

    def read(self, screens: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Pixels of the bar in (N, H, W, 3), (N,)."""
        return _coloured(screens[:, self.row, slice(*self.columns)], self.colour).sum(axis=1)


@dataclass(frozen=True)
class Lamps:
    """A row of lamps, as many of them lit as the number of the stage; the last of them blinks."""

    name: str
    row: int
    column: int
    """First column of the first lamp."""
    pitch: int
    """Columns from one lamp to the next."""
    count: int
    colour: Colour
    """Of a lit lamp."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its values, one for each stage: 1 for the present one, 0 for the others."""
        return tuple(f"{self.name}_{number}" for number in range(1, self.count + 1))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """First row, row behind the last, first column, column behind the last."""
        return self.row, self.row + 1, self.column, self.column + self.pitch * (self.count - 1) + 1

    def read(self, screens: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Lit lamps in (N, H, W, 3), (N,)."""
        columns = np.arange(self.count) * self.pitch + self.column
        return _coloured(screens[:, self.row, columns], self.colour).sum(axis=1)


@dataclass(frozen=True)
class Number:
    """A number of one colour, digits 6 wide and 7 high, 8 columns from one to the next."""

    name: str
    row: int
    column: int
    """First column of the highest digit."""
    digits: int
    colour: Colour
    full: int
    """Number that is shown as 1."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its values: one."""
        return (self.name,)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """First row, row behind the last, first column, column behind the last."""
        return self.row, self.row + 7, self.column, self.column + 8 * self.digits

    def read(self, screens: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The number in (N, H, W, 3), (N,). What is no digit counts as 0."""
        top, bottom, left, right = self.box
        rows = np.packbits(_coloured(screens[:, top:bottom, left:right], self.colour), axis=2)
        shapes = _shape(rows.transpose(0, 2, 1))  # (N, D)
        numbers = (shapes[:, :, None] == _DIGITS).argmax(axis=2)
        return numbers @ 10 ** np.arange(self.digits - 1, -1, -1)


@dataclass(frozen=True)
class Way:
    """How far the player is, to either side, from where he stood when the scene began.

    That is his place in the picture, and how far the picture has scrolled. Column sums of the wall
    behind the fight are compared with those of the frame before, moved by up to ``reach`` pixels.
    The smallest difference tells the motion. The player is where most of his colour is.
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
    """Pixels of his colour in every eighth row, below which he is not there."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its values: one."""
        return (self.name,)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """First row, row behind the last, first column, column behind the last."""
        return self.rows[0], self.player_rows[1], *self.columns

    def place(self, screens: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Column of the player in (N, H, W, 3), (N,); -1 where he is not seen."""
        rows = slice(self.player_rows[0], self.player_rows[1], 8)
        area = np.ascontiguousarray(screens[:, rows, slice(*self.columns)])
        count, height, width, _ = area.shape
        tall = area.reshape(count * height, width, 3)  # one image: OpenCV is called once
        colour = np.array(self.player_colour)
        his = np.asarray(cv2.inRange(tall, colour, colour), np.uint8) >> 7
        his = his.reshape(count, height, width)
        sums = np.cumsum(his.sum(axis=1, dtype=np.int32), axis=1)
        found = sums[:, self.player_width :] - sums[:, : -self.player_width]
        column = found.argmax(axis=1)
        seen = found[np.arange(len(column)), column] >= self.player_pixels
        return np.where(seen, column, -1)

    def profile(self, screens: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Column sums (N, W) of the red in every eighth row of the wall."""
        rows = slice(self.rows[0], self.rows[1], 8)
        return screens[:, rows, slice(*self.columns), 0].sum(axis=1, dtype=np.int32)

    def motion(self, before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.int64]:
        """Pixels (N,) by which ``after`` lies further right than ``before``; 0 if nothing fits."""
        reach, width = self.reach, before.shape[1]
        motion = np.zeros(len(before), np.int64)
        changed = np.flatnonzero((before != after).any(axis=1))
        if not len(changed):  # most pictures stand still
            return motion
        fixed = after[changed, reach : width - reach]
        windows = np.lib.stride_tricks.sliding_window_view(before[changed], fixed.shape[1], axis=1)
        differences = np.abs(windows - fixed[:, None]).sum(axis=2)  # (M, 2 * reach + 1)
        best = differences.argmin(axis=1)
        smallest = differences[np.arange(len(changed)), best]
        fits = smallest <= 0.02 * fixed.sum(axis=1)
        still = differences[:, reach] == smallest  # a plain wall tells of no motion
        motion[changed] = np.where(fits & ~still, reach - best, 0)
        return motion


Gauge = Bar | Lamps | Number | Way


def gauge_names(gauges: Sequence[Gauge]) -> tuple[str, ...]:
    """Names of the G values of some gauges, in order."""
    return tuple(name for gauge in gauges for name in gauge.names)


def _coloured(pixels: NDArray[np.uint8], colour: Colour) -> NDArray[np.bool_]:
    red, green, blue = colour
    return (pixels[..., 0] == red) & (pixels[..., 1] == green) & (pixels[..., 2] == blue)


def _shape(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Seven rows (..., 7) of eight pixels each, as bits, to one number (...)."""
    return rows @ (256 ** np.arange(7))


_DIGITS = _shape(
    4  # two more columns, which are blank
    * np.array(
        [
            [30, 51, 51, 51, 51, 51, 30],
            [12, 28, 12, 12, 12, 12, 30],
            [30, 35, 3, 30, 48, 48, 63],
            [30, 35, 3, 6, 3, 35, 30],
            [6, 14, 22, 38, 63, 6, 6],
            [63, 48, 48, 62, 3, 35, 62],
            [30, 49, 48, 62, 51, 51, 30],
            [63, 33, 3, 6, 12, 12, 12],
            [30, 51, 51, 30, 51, 51, 30],
            [30, 51, 51, 31, 3, 35, 30],
        ]
    )
)
"""Shapes of the digits as Kung-Fu Master draws them."""
