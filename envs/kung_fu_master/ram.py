"""Where things are, read from the game's RAM: for judging and tests, never for training.

The addresses are those of OCAtari's extraction for this game (Delfosse et al. 2024,
``ocatari/ram/kungfumaster.py``), corrected where a box did not hold the right pixels. The fire of
the fourth boss was seen flying to the left only.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROM = "kung_fu_master"
"""Of which this is the RAM."""
FLOOR, TIME, LIVES, ENEMY, PLAYER_X, PLAYER_HEALTH, ENEMY_HEALTH = 31, 27, 29, 50, 74, 75, 76
ENEMY_X, THROWER_POSE = 72, 38
PROJECTILE_X, PROJECTILE_Y, PROJECTILE_SHAPE, PROJECTILE_MIRRORED, ENEMY_FACING = 73, 96, 94, 86, 92
"""Addresses. Those of the floor and of the projectile's shape and mirroring were found for this
project, by comparing the RAM with the pixels."""
NO_PROJECTILE = 188
THROWER, RAISED_ARM = 92, 0
"""Values of ``ENEMY`` and of ``THROWER_POSE``. A raised arm announces a high knife."""
FULL_HEALTH = 39
LOW = 45
"""Row of the play area from which on a knife flies low: it takes a jump to dodge it."""
BOSS = 204
KNIFE_COLOUR, SKY_COLOUR = (74, 74, 74), (66, 72, 200)
ENEMIES = {
    71: "small fighter, leaping",
    82: "small fighter, leaping",
    85: "red ball",
    THROWER: "knife thrower",
    97: "air ball",
    134: "snake",
    154: "dragon",
    160: "small fighter",
    177: "henchman",
    188: "smoke",
    BOSS: "boss",
    210: "boss, falling",
    227: "dragon ball",
    247: "moth",
}
"""Kind of the present enemy by the value of its RAM byte."""
UNKNOWN_ENEMY = "unknown"
"""Kind of an enemy whose byte is none of ``ENEMIES``."""


class Kind(StrEnum):
    """What a box holds."""

    KNIFE = "knife"
    BOOMERANG = "boomerang"
    """Thrown by the boss of the second floor."""
    BOSS_FIRE = "boss_fire"
    """Thrown by the boss of the fourth floor."""
    DRAGON_FIRE = "dragon_fire"
    UNKNOWN = "unknown"
    """Any other projectile; its box is that of a knife."""


SHAPES = {0: Kind.KNIFE, 4: Kind.BOOMERANG, 6: Kind.BOSS_FIRE, 128: Kind.DRAGON_FIRE}
"""Kind of a projectile by the RAM byte of its shape."""


class Box(NamedTuple):
    """A labelled rectangle in the play area, in pixels; it may reach over the edges."""

    kind: Kind
    top: int
    left: int
    height: int
    width: int

    def mask(self, height: int, width: int, grow: int = 0) -> NDArray[np.bool_]:
        """The box, ``grow`` pixels larger on every side, as (height, width) bool."""
        mask = np.zeros((height, width), bool)
        top, left = max(self.top - grow, 0), max(self.left - grow, 0)
        bottom = max(self.top + self.height + grow, 0)
        right = max(self.left + self.width + grow, 0)
        mask[top:bottom, left:right] = True
        return mask

    def distance(self, x: int) -> int:
        """Columns between the box and column ``x``; 0 if it lies over it."""
        return max(self.left - x, x - (self.left + self.width - 1), 0)


def player_health(ram: NDArray[np.uint8]) -> int:
    """Health points of the player, 0 to 39.

    Henchmen who hold a dead player take it below 0, where the byte begins anew at 255.
    """
    health = int(ram[PLAYER_HEALTH])
    return health if health <= FULL_HEALTH else 0


def clock(ram: NDArray[np.uint8]) -> int:
    """Time left, 0 to 2,000; its four decimal digits take two bytes."""
    high, low = int(ram[TIME]), int(ram[TIME + 1])
    return 1000 * (high >> 4) + 100 * (high & 15) + 10 * (low >> 4) + (low & 15)


def player_x(ram: NDArray[np.uint8]) -> int:
    """Column of the player's middle in the play area, in pixels."""
    return int(ram[PLAYER_X]) - 49 - 8 + 4  # the play area starts at column 8; he is 8 wide


def raised_arm(ram: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    """Rows and columns in the play area where a thrower holds up his arm, behind his back.

    None if he does not, or stands at an edge of the screen.
    """
    if ram[ENEMY] != THROWER or ram[THROWER_POSE] != RAISED_ARM:
        return None
    middle = int(ram[ENEMY_X]) - 54
    left = middle - 3 if ram[ENEMY_FACING] & 8 else middle + 2
    return (slice(33, 40), slice(left, left + 2)) if 0 <= left < 142 else None


def projectile(ram: NDArray[np.uint8]) -> Box | None:
    """The projectile in flight, of which there is at most one.

    Args:
        ram: (128,) uint8.

    Returns:
        Its box, or None.
    """
    if ram[PROJECTILE_Y] == NO_PROJECTILE:
        return None
    kind = SHAPES.get(int(ram[PROJECTILE_SHAPE]), Kind.UNKNOWN)
    mirrored = bool(ram[PROJECTILE_MIRRORED] & 8)
    # The height is a signed byte around line 123 or 121; the play area starts at (96, 8).
    left, y = int(ram[PROJECTILE_X]) - 8, int(ram[PROJECTILE_Y])
    high, low = (121 + y) % 256 - 96, (123 + y) % 256 - 96
    match kind:
        case Kind.KNIFE | Kind.UNKNOWN:
            return Box(kind, low - mirrored, left - 52 + mirrored, 2, 5)
        case Kind.BOOMERANG:
            return Box(kind, high + (not mirrored), left - 51, 4, 4)
        case Kind.BOSS_FIRE:
            return Box(kind, high, left - 62, 5, 16)
        case Kind.DRAGON_FIRE:
            left -= 52 if ram[ENEMY_FACING] & 8 else 60
            return Box(kind, high, left, 4, 18)
