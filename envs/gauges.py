"""What a screen shows beside the play area: health, energy, floor, clock, and how far one went.

A game declares its gauges as data. All but the way are painted: pixels at known places that have
the gauge's colour or not. They are looked up all at once. What it takes memory to tell is in
``envs.gauge_reader``. Nothing here reads the RAM.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.way import Colour, Screens, Way

HEALTH, OPPONENT, STAGE, CLOCK, WAY = "health", "opponent", "stage", "clock", "way"
"""Names of gauges that are known everywhere: the player's health, the energy of a boss, the number
of the floor or level, the time that is left, and how far the player is from where he began."""
Floats = NDArray[np.float64]


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

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Rows and columns of its P pixels, (2, P)."""
        return _grid([self.row], range(*self.columns))

    @property
    def weights(self) -> Floats:
        """(P, 1): what each pixel adds to the number, if it has the colour."""
        return np.ones((self.columns[1] - self.columns[0], 1))

    def value(self, sums: Floats) -> Floats:
        """Share of the full bar (M,), given how many of its pixels have the colour (M, 1)."""
        return sums[:, 0] / (self.columns[1] - self.columns[0])


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

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Rows and columns of its P pixels, (2, P)."""
        return _grid([self.row], range(self.column, self.box[3], self.pitch))

    @property
    def weights(self) -> Floats:
        """(P, 1): what each pixel adds to the number, if it has the colour."""
        return np.ones((self.count, 1))

    def value(self, sums: Floats) -> Floats:
        """Lit lamps (M,), given how many of the pixels have the colour (M, 1)."""
        return sums[:, 0]


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

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Rows and columns of its P pixels, (2, P), digit after digit."""
        places = range(self.column, self.box[3], 8)
        rows = range(self.row, self.row + 7)
        return np.concatenate([_grid(rows, range(place, place + 6)) for place in places], axis=1)

    @property
    def weights(self) -> Floats:
        """(P, D): each digit's pixels, as the bits of one number."""
        return np.asarray(
            np.kron(np.eye(self.digits), 2.0 ** np.arange(6 * 7)[:, None]), np.float64
        )

    def value(self, sums: Floats) -> Floats:
        """The number as a share of the full one (M,), given the bits of its digits (M, D).

        What is no digit counts as 0.
        """
        shapes, digits = _SHAPES
        nearest = shapes.searchsorted(sums)  # (M, D)
        found = digits[nearest] * (shapes[nearest] == sums)
        return found @ _POWERS[-self.digits :] / self.full


Painted = Bar | Lamps | Number
Gauge = Painted | Way


def gauge_names(gauges: Sequence[Gauge]) -> tuple[str, ...]:
    """Names of the G values of some gauges, in order."""
    return tuple(name for gauge in gauges for name in gauge.names)


class PaintReader:
    """Looks up the pixels of all painted gauges at once."""

    def __init__(self, gauges: Sequence[Painted]) -> None:
        """Take note where these gauges are."""
        self._gauges = gauges
        sizes = [gauge.weights.shape for gauge in gauges]
        ends = np.cumsum([(0, 0), *sizes], axis=0)  # of the pixels and of the sums of each gauge
        self._sums = [slice(*ends[at : at + 2, 1]) for at in range(len(gauges))]
        self._pixels, self._weights = np.zeros((2, ends[-1, 0]), np.int64), np.zeros(ends[-1])
        self._colours = np.zeros((ends[-1, 0], 3), np.uint8)
        for at, gauge in enumerate(gauges):
            own = slice(*ends[at : at + 2, 0])
            self._pixels[:, own], self._colours[own] = gauge.pixels, gauge.colour
            self._weights[own, self._sums[at]] = gauge.weights

    def read(self, screens: Screens) -> dict[str, Floats]:
        """What the gauges show on these screens, (M,) by the name of the gauge."""
        rows, columns = self._pixels
        count, _, width, _ = screens.shape
        flat = screens.reshape(count, -1, 3)
        pixels: Screens = np.take(flat, rows * width + columns, axis=1)
        same = pixels == self._colours
        hits = same[:, :, 0] & same[:, :, 1] & same[:, :, 2]
        sums = hits.astype(np.float64) @ self._weights
        return {
            gauge.name: gauge.value(sums[:, own])
            for gauge, own in zip(self._gauges, self._sums, strict=True)
        }


def _grid(rows: Sequence[int], columns: Sequence[int]) -> NDArray[np.int64]:
    """Rows and columns of all pixels, (2, P), row after row."""
    return np.stack(np.meshgrid(rows, columns, indexing="ij")).reshape(2, -1)


_DIGITS = np.array(
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
    ],
    np.uint8,
)
"""Rows of the digits as Kung-Fu Master draws them, their six columns as bits."""


def _shapes() -> tuple[Floats, NDArray[np.int64]]:
    """Bits of all pixels of a digit as one number, in order and endless, and the digits."""
    bits = np.unpackbits(_DIGITS[:, :, None], axis=2)[:, :, 2:].reshape(10, -1)
    shapes = bits @ 2.0 ** np.arange(6 * 7)
    order = np.argsort(shapes)
    return np.append(shapes[order], np.inf), np.append(order, 0)


_SHAPES = _shapes()
_POWERS = 10.0 ** np.arange(18, -1, -1)
