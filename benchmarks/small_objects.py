"""Where the small things of ten games are, read from the RAM. To judge with, never to train.

Positions of balls, shots and missiles follow the annotations that AtariARI (Anand et al. 2019,
"Unsupervised state representation learning in Atari") and OCAtari (Delfosse et al. 2023,
"OCAtari: object-centric Atari 2600 reinforcement learning environments") published. Where these
were a few pixels off or had no position, it was found by comparing RAM and screen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Positions = Callable[[NDArray[np.uint8]], NDArray[np.int64]]
"""From the RAM of T frames, (T, 128), to a row or column of the native screen for each, (T,)."""
NOWHERE = -1000
"""Position of what is not there."""
LARGEST = 24
"""Pixels of a small object at most. An explosion in its place has more."""


@dataclass(frozen=True)
class SmallObject:
    """Something small that flies: where the RAM says it is, and what it looks like."""

    name: str
    columns: Positions | None
    """First column; anywhere if None."""
    rows: Positions | None
    """First row; anywhere if None."""
    size: tuple[int, int]
    """Height and width of the box in which it is."""
    colours: tuple[int, ...]
    """ALE's numbers of the colours that it may have."""

    def pixels(self, screens: NDArray[np.uint8], ram: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Its own pixels in T screens: the box where it is, as far as it has its colours.

        Args:
            screens: (T, H, W), ALE's numbers of colours.
            ram: (T, 128).

        Returns:
            (T, H, W).
        """
        own = np.isin(screens, self.colours)
        for axis, positions, length in ((1, self.rows, 0), (2, self.columns, 1)):
            if positions is not None:
                first = positions(ram)[:, None]
                place = np.arange(screens.shape[axis], dtype=np.int64)
                inside = (place >= first) & (place < first + self.size[length])
                own &= np.expand_dims(inside, 3 - axis)
        own[own.sum(axis=(1, 2)) > LARGEST] = False
        return own


class Visible(NamedTuple):
    """Which objects of T frames can be seen; all (T,)."""

    seen: NDArray[np.bool_]
    """There is something of its own that moves."""
    merged: NDArray[np.bool_]
    """It touches something of its own colour, so nobody can tell it from that."""
    resting: NDArray[np.bool_]
    """All its pixels are as they were three steps ago and since."""


def visible(
    own: NDArray[np.bool_], screens: NDArray[np.uint8], stacks: NDArray[np.int64]
) -> Visible:
    """Which objects can be seen, (T, H, W) own pixels and colours, with (T, 4) rows of stacks."""
    there = np.asarray(own.any(axis=(1, 2)))
    merged, resting = np.zeros_like(there), np.zeros_like(there)
    for t in np.flatnonzero(there):
        before = screens[stacks[t, :-1]]
        resting[t] = (before[:, own[t]] == screens[t][own[t]]).all()
        around = cv2.dilate(own[t].astype(np.uint8), np.ones((3, 3), np.uint8)) != 0
        kin = np.isin(screens[t], np.unique(screens[t][own[t]]))
        merged[t] = not resting[t] and (around & ~own[t] & kin).any()
    return Visible(there & ~merged & ~resting, merged, resting)


def byte(address: int, offset: int = 0, scale: int = 1) -> Positions:
    """A position that stands in a byte of the RAM as it is, but for an offset and a scale."""
    size = 256 * abs(scale)

    def positions(ram: NDArray[np.uint8]) -> NDArray[np.int64]:
        value = (scale * ram[:, address].astype(np.int64) + offset) % size
        return np.where(value >= size - 32, value - size, value)  # beyond the upper or left edge

    return positions


def timed(address: int, offset: int) -> Positions:
    """A column that is kept as the console's video chip wants it.

    The low four bits say after how many times 15 pixels the object is started, the high four, with
    a sign, by how many pixels it is then moved to the left.
    """

    def positions(ram: NDArray[np.uint8]) -> NDArray[np.int64]:
        value = ram[:, address].astype(np.int64)
        moved = ((value >> 4) ^ 8) - 8
        return (15 * (value & 15) - moved + offset) % 160

    return positions


def at(place: int) -> Positions:
    """Always the same place."""
    return lambda ram: np.full(len(ram), place)


def between(positions: Positions, lowest: int, highest: int) -> Positions:
    """A position that is moved into a range if it is outside of it."""
    return lambda ram: np.clip(positions(ram), lowest, highest)


def only_if(
    positions: Positions, condition: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
) -> Positions:
    """A position that holds only where the RAM meets a condition."""
    return lambda ram: np.where(condition(ram), positions(ram), NOWHERE)


def _seaquest_missile(lane: int) -> SmallObject:
    def is_submarine(ram: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return np.isin(ram[:, 89 + lane] % 8, (4, 5, 6))  # sharks have no missiles

    columns = only_if(byte(71 + lane), is_submarine)
    return SmallObject(f"missile {lane + 1}", columns, at(143 - 24 * lane), (8, 10), (134,))


_PHOENIX = (14, 56, 58, 130, 132, 138, 142, 218)
"""Colours of the shots of Phoenix, which change from wave to wave."""

SMALL_OBJECTS: Mapping[str, tuple[SmallObject, ...]] = {
    "breakout": (SmallObject("ball", byte(99, -49), byte(101, 9), (4, 2), (70,)),),
    # The screen shows the ball where it was up to a frame ago. The walls are as white as the ball.
    "pong": (SmallObject("ball", byte(49, -49), between(byte(54, -20), 34, 178), (16, 2), (14,)),),
    "space_invaders": (
        SmallObject("shot", byte(87, -2), None, (0, 1), (6,)),
        SmallObject("bomb 1", byte(83, -2), byte(81, 2, 2), (16, 1), (6,)),
        SmallObject("bomb 2", byte(84, -2), byte(82, 2, 2), (16, 1), (6,)),
    ),
    "assault": (
        SmallObject("shot", timed(39, -16), None, (0, 1), (14,)),
        SmallObject(
            "bomb", timed(17, -16), only_if(byte(110, 65), lambda r: r[:, 75] == 128), (8, 1), (24,)
        ),
        SmallObject("dash", timed(18, -19), at(181), (2, 10), (12,)),
    ),
    "phoenix": (
        SmallObject("shot", byte(93, -71), byte(89, 201, -1), (6, 1), _PHOENIX),
        *(
            SmallObject(
                f"bomb {n + 1}", timed(80 + n, -40), byte(58 + n, 189, -1), (8, 1), _PHOENIX
            )
            for n in range(4)
        ),
    ),
    "carnival": (SmallObject("shot", byte(4, -5), byte(55, -4), (24, 1), (234,)),),
    "beam_rider": tuple(
        # What of its many sprites is small: torpedoes, missiles, and saucers that are far away.
        SmallObject(f"sprite {n + 1}", None, byte(93 + n, 165, -1), (8, 160), (8, 14, 86, 104))
        for n in range(7)
    ),
    "galaxian": (
        SmallObject(
            "shot",
            byte(60, 2),
            only_if(byte(11, 16), lambda r: ~np.isin(r[:, 11], (151, 255))),  # on the ship, or none
            (3, 1),
            (42,),
        ),
        *(
            SmallObject(f"bomb {n + 1}", byte(102 + n, 11), None, (0, 1), (14, 74))
            for n in range(4)
        ),
    ),
    "riverraid": (SmallObject("shot", byte(117, -2), byte(50, 162, -1), (9, 3), (28,)),),
    "seaquest": (
        SmallObject("torpedo", byte(103), byte(97, 40), (1, 8), (24,)),
        *(_seaquest_missile(lane) for lane in range(4)),
    ),
}
"""The small objects of each game, by its ROM."""
