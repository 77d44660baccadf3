"""What a screen shows beside the play area: health, energy, floor, clock, and how far one went.

A game declares its gauges as data. They are read from the native pixels once per new frame and
travel beside the observation, (N, G) float32 in 0..1. Nothing here reads the RAM.

A scene is one try at one stage: it begins when the game begins and whenever the player's health has
been refilled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

HEALTH, OPPONENT, STAGE, WAY = "health", "opponent", "stage", "way"
"""Names of gauges that are known everywhere: the player's health, the energy of a boss, the number
of the floor or level, and how far the camera has moved since the scene began."""
CHANGES = ("damage", "opponent", "way")
"""Names of what ``Reading.changes`` holds."""
Colour = tuple[int, int, int]
Values = NDArray[np.float32]
"""(N, K): what one gauge shows in N games."""


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
    player_pixels: int = 8
    """Pixels of his colour in every fourth row, below which he is not there."""

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
        rows = slice(self.player_rows[0], self.player_rows[1], 4)
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
        changed = np.flatnonzero((before != after).any(axis=1))  # most pictures stand still
        fixed = after[changed, reach : width - reach]
        windows = np.lib.stride_tricks.sliding_window_view(before[changed], fixed.shape[1], axis=1)
        differences = np.abs(windows - fixed[:, None]).sum(axis=2)  # (M, 2 * reach + 1)
        best = differences.argmin(axis=1)
        smallest = differences[np.arange(len(changed)), best]
        fits = smallest <= 0.02 * fixed.sum(axis=1)
        still = differences[:, reach] == smallest  # a plain wall tells of no motion
        motion = np.zeros(len(before), np.int64)
        motion[changed] = np.where(fits & ~still, reach - best, 0)
        return motion


Gauge = Bar | Lamps | Number | Way


class Reading(NamedTuple):
    """What new screens tell."""

    gauges: Values
    """(M, G) float32 in 0..1."""
    changes: Values
    """(M, 3) float32: what has happened since the screens before, each as a share of a gauge.

    ``damage`` is health that an enemy has taken. ``opponent`` is energy that the boss has lost, and
    ``way`` how much further the player is; below 0 if he has recovered, or the player walked back.
    The start of a scene changes nothing.
    """


class GaugeReader:
    """Reads the gauges of N games from their screens, frame after frame."""

    def __init__(self, gauges: Sequence[Gauge], num_envs: int) -> None:
        """Prepare for ``num_envs`` games, each at the start of an episode."""
        self._gauges = gauges
        self._begins = np.ones(num_envs, bool)  # whether the next screen begins an episode
        self._stage = np.zeros(num_envs, np.int64)
        self._scrolled = np.zeros(num_envs, np.int64)
        self._place = np.zeros(num_envs, np.int64)
        self._start = np.zeros(num_envs, np.int64)
        self._waits = np.ones(num_envs, bool)  # for the player to be seen in this scene
        self._profile: NDArray[np.int32] | None = None
        self._shown = {gauge.name: np.zeros(num_envs, np.float32) for gauge in gauges}
        self._shown |= {name: np.zeros(num_envs, np.float32) for name in (HEALTH, OPPONENT, WAY)}

    def read(self, screens: NDArray[np.uint8], envs: NDArray[np.int64]) -> Reading:
        """Take in the next screens.

        Args:
            screens: (M, H, W, 3) uint8, native RGB.
            envs: (M,) int64, of which games they are.
        """
        before = {name: shown[envs] for name, shown in self._shown.items()}
        scene = self._begins[envs]
        self._begins[envs] = False
        values = [np.zeros((len(envs), 0), np.float32)]
        for gauge in self._gauges:
            match gauge:
                case Bar():
                    value = gauge.read(screens) / (gauge.columns[1] - gauge.columns[0])
                    if gauge.name == HEALTH:
                        scene |= (before[HEALTH] == 0) & (value > 0)
                case Lamps():
                    value = self._number(gauge, screens, envs, scene)
                    values.append(np.eye(gauge.count, dtype=np.float32)[value - 1])
                    continue
                case Number():
                    value = gauge.read(screens) / gauge.full
                case Way():
                    value = self._walk(gauge, screens, envs, scene) / gauge.full
            self._shown[gauge.name][envs] = value.clip(0, 1)
            values.append(self._shown[gauge.name][envs, None])
        after = {name: shown[envs] for name, shown in self._shown.items()}
        return Reading(np.concatenate(values, axis=1), self._changes(before, after, scene))

    def forget(self, envs: NDArray[np.int64]) -> None:
        """Take note that the next screens of these games (M,) begin an episode."""
        self._begins[envs] = True

    def _changes(
        self, before: dict[str, Values], after: dict[str, Values], scene: NDArray[np.bool_]
    ) -> Values:
        """What has happened between two screens, (M, 3), where no ``scene`` begins."""
        damage = (before[HEALTH] - after[HEALTH]).clip(min=0)
        for gauge in self._gauges:
            if isinstance(gauge, Bar) and gauge.name == HEALTH:
                if gauge.taken_by:
                    damage[after[gauge.taken_by] == 0] = 0
                if gauge.counted_by:
                    pixel = 1.5 / (gauge.columns[1] - gauge.columns[0])
                    damage[(after[gauge.counted_by] == 0) & (damage < pixel)] = 0
        opponent, way = before[OPPONENT] - after[OPPONENT], after[WAY] - before[WAY]
        return np.where(scene[:, None], 0, np.stack([damage, opponent, way], axis=1))

    def _number(
        self,
        lamps: Lamps,
        screens: NDArray[np.uint8],
        envs: NDArray[np.int64],
        scene: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Number of the stage (M,) though its last lamp blinks; a scene begins with it unlit."""
        lit, known = lamps.read(screens), self._stage[envs]
        fits = ((lit == known) | (lit == known - 1)) & ~scene
        stage = np.where(fits, known, np.where(scene | (lit < known), lit + 1, lit))
        self._stage[envs] = stage.clip(1, lamps.count)
        return self._stage[envs]

    def _walk(
        self,
        way: Way,
        screens: NDArray[np.uint8],
        envs: NDArray[np.int64],
        scene: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Pixels (M,) that the player is away from where he was first seen in the scene."""
        profile = way.profile(screens)
        if self._profile is None:
            self._profile = np.zeros((len(self._begins), profile.shape[1]), np.int32)
        scrolled = self._scrolled[envs] - way.motion(self._profile[envs], profile)
        self._profile[envs] = profile
        self._scrolled[envs] = np.where(scene, 0, scrolled)
        found = way.place(screens)
        self._place[envs] = np.where(found < 0, self._place[envs], found)  # where he was seen last
        position = self._scrolled[envs] + self._place[envs]
        waits = self._waits[envs] | scene
        self._start[envs] = np.where(waits, position, self._start[envs])
        self._waits[envs] = waits & (found < 0)
        return np.abs(position - self._start[envs])


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
