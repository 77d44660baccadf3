"""What random play tells of a game before anything is learned."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.config import EnvConfig, game_of
from envs.games import UNIT, is_known
from envs.palette import fit_palette
from envs.projection import Projection, fit_projection
from envs.vector import make_emulators

GAMES, STEPS = 4, 600
"""Of random play."""
EVERY = 4
"""Agent steps from one kept screen to the next."""
EXCUSED = 4
"""Agent steps after a reward or the loss of a life in which score and status may change."""
MOVING = 0.01
"""A row that changes in a greater share of the other steps moves."""
GAP = 12
"""Rows between two parts of the status at most."""


class RandomPlay(NamedTuple):
    """What happened in N games of T steps."""

    screens: NDArray[np.uint8]
    """(T / EVERY, N, H, W, 3) RGB: every so many steps one."""
    changed: NDArray[np.bool_]
    """(T, N, H): in which rows a step changed something. The end of a game is no change."""
    rewards: NDArray[np.int64]
    """(T, N), raw."""
    happened: NDArray[np.bool_]
    """(T, N): whether there was a reward, or a life was lost, or the game."""


def play_randomly(config: EnvConfig, seed: int) -> RandomPlay:
    """Let four games of 600 agent steps be played by chance.

    The first 60 steps of Kung-Fu Master show an empty floor. In the rest 30 to 70 of the kept
    screens show a knife.
    """
    envs = make_emulators(config, GAMES)
    num_actions, rng = game_of(config).num_actions, np.random.default_rng(seed)
    screens, infos = envs.reset(seed=seed)
    lives = np.asarray(infos["lives"])
    kept: list[NDArray[np.uint8]] = []
    changed: list[NDArray[np.bool_]] = []
    rewards: list[NDArray[np.int64]] = []
    happened: list[NDArray[np.bool_]] = []
    for step in range(STEPS):
        if step % EVERY == 0:
            kept.append(screens[:, 0])
        before, lives_before = screens, lives
        screens, reward, terminated, truncated, infos = envs.step(
            rng.integers(num_actions, size=GAMES)
        )
        lives = np.asarray(infos["lives"])
        ended = terminated | truncated
        differs = (screens[:, 0] != before[:, 0]).any(axis=(2, 3))
        changed.append(differs & ~ended[:, None])
        rewards.append(np.asarray(reward, np.int64))
        happened.append((reward != 0) | (lives < lives_before) | ended)
    envs.close()
    return RandomPlay(np.stack(kept), np.stack(changed), np.stack(rewards), np.stack(happened))


def calibrate(config: EnvConfig, seed: int) -> Projection:
    """Fit a projection to random play: that of a game with an entry by what its colours are for.

    Raises:
        ValueError: If the game's colours cannot be projected; says why.
    """
    game = game_of(config)
    seen = play_randomly(config, seed).screens[:, :, *game.play_area]
    if is_known(config.game):
        return fit_projection(seen.reshape(-1, *seen.shape[2:]))
    seen = seen[1:]  # a game's first screen may have other colours everywhere
    return fit_palette(seen.reshape(-1, *seen.shape[2:]))


def find_play_area(play: RandomPlay) -> tuple[int, int, int, int]:
    """The rows without score and status, and all columns.

    Status rows lie at the upper or lower edge, beyond all rows that move, and change with a reward
    or the loss of a life, or in the ``EXCUSED`` steps after it, but hardly ever otherwise. What is
    cut off are the first of them with those that follow at most ``GAP`` rows later. So the bricks
    of Breakout, which also change with rewards alone, stay. If the height that is left is no
    multiple of ``UNIT``, it becomes the multiple next to it that loses as little of what moves, and
    shows as little of the status, as possible.

    Args:
        play: Random play. Where the score never changed, or changed all the time, it is not found.

    Returns:
        First row, row behind the last, first column, column behind the last.
    """
    height, width = play.screens.shape[2:4]
    excused = play.happened.copy()
    for later in range(1, EXCUSED + 1):
        excused[later:] |= play.happened[:-later]
    others = play.changed[~excused]  # (K, H), of steps in which nothing had happened
    if not len(others):
        return 0, height // UNIT * UNIT, 0, width // UNIT * UNIT
    moves = others.mean(axis=0) > MOVING
    status = (play.changed & excused[:, :, None]).any(axis=(0, 1)) & ~moves
    top = _status_rows(status, moves)
    bottom = height - _status_rows(status[::-1], moves[::-1])

    def cost(rows: tuple[int, int]) -> tuple[int, int]:
        first, last = rows
        lost = int(moves[:first].sum() + moves[last:].sum())
        added = max(0, top - first) + max(0, last - bottom)
        return lost + added, abs(first - top) + abs(last - bottom)

    least = max(1, (bottom - top) // UNIT) * UNIT
    choices = [
        (first, first + size)
        for size in (least, least + UNIT)
        for first in range(max(0, top - UNIT), min(top + UNIT, height - size) + 1)
    ]
    return *min(choices, key=cost), 0, width // UNIT * UNIT


def _status_rows(status: NDArray[np.bool_], moves: NDArray[np.bool_]) -> int:
    """How many rows to cut off at the upper edge."""
    rows = np.flatnonzero(status[: moves.argmax()])
    if not len(rows) or rows[0] >= len(status) // 4:
        return 0
    ends = np.flatnonzero(np.diff(rows) > GAP)
    return int(rows[ends[0]] if len(ends) else rows[-1]) + 1


def find_reward_scale(play: RandomPlay) -> float:
    """What makes the mean size of a reward 1; 1 if there was none."""
    sizes = np.abs(play.rewards[play.rewards != 0])
    return float(1 / sizes.mean()) if len(sizes) else 1.0
