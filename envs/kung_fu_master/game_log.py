"""What happened in a game, read from its RAM: why a score is what it is. Never for training."""

from collections import Counter
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.config import EnvConfig
from envs.kung_fu_master import ram as truth
from envs.projection import Projection
from envs.single import SingleEnv

REACH = 12
"""Largest distance, in pixels, between the player's middle and a projectile that hits him. It flies
5 pixels a step and he is 8 wide."""
TIME_OUT = "time"
"""Cause of a life that was lost because the clock ran out."""
EVENTS = ("thrown", "dodged", "suffered")
"""What becomes of a projectile."""


class GameLog:
    """Counts a game's events from the RAM after every agent step.

    Health that is lost in the step in which a projectile ends beside the player is attributed to
    the projectile. All other health is attributed to the present enemy; the RAM names one even if
    several are near. In 8,000 recorded steps of the first floor every loss of two or more health
    points was a projectile's. This holds for four emulator frames to an agent step: with many more,
    a projectile flies too far in one step to be told from a blow.

    The game itself takes health, too, which is no damage: all of it when the clock has run out, and
    one point a step, in exchange for a bonus, when a floor's boss is beaten.
    """

    def __init__(self, ram: NDArray[np.uint8]) -> None:
        """Begin with the RAM (128,) at the start of a game."""
        self._floor = int(ram[truth.FLOOR])
        self._cleared = 0
        self._boss_energy = truth.FULL_HEALTH
        self._lives: Counter[str] = Counter()
        self._damage: Counter[str] = Counter()
        self._undecided: Counter[str] = Counter()  # damage, or the bonus at the end of a floor
        self._projectiles = {event: Counter[str]() for event in EVENTS}
        self._knives = {event: Counter[str]() for event in EVENTS}
        self._last_cause = TIME_OUT
        self._ram = ram

    def update(self, ram: NDArray[np.uint8]) -> None:
        """Take in the RAM (128,) after an agent step."""
        before, self._ram = self._ram, ram
        self._floor = max(self._floor, int(ram[truth.FLOOR]))
        lost_life = (int(before[truth.LIVES]) - int(ram[truth.LIVES])) % 256 == 1  # 255 ends it
        passed = not lost_life and ram[truth.FLOOR] != before[truth.FLOOR]
        self._cleared += int(passed)
        energy = int(ram[truth.ENEMY_HEALTH])
        self._boss_energy = min(self._boss_energy, energy)
        damage = max(0, truth.player_health(before) - truth.player_health(ram))
        hit = self._follow_projectile(before, damage, ended=lost_life or passed)
        if damage and truth.clock(ram) == 0:
            self._last_cause = TIME_OUT
        elif damage:
            enemy = truth.ENEMIES.get(int(before[truth.ENEMY]), truth.UNKNOWN_ENEMY)
            self._last_cause = str(hit) if hit else enemy
            counter = self._undecided if energy == 0 and damage == 1 else self._damage
            counter[self._last_cause] += damage
        if passed:
            self._undecided.clear()  # it was the bonus
        if lost_life:
            self._lives[self._last_cause] += 1
            self._damage += self._undecided
            self._undecided.clear()

    def _follow_projectile(
        self, before: NDArray[np.uint8], damage: int, *, ended: bool
    ) -> truth.Kind | None:
        """Count a projectile that comes or goes.

        Args:
            before: The RAM before the step.
            damage: Health points that were lost in the step.
            ended: Whether the life or the floor has ended, and with it everything that flew.

        Returns:
            The kind of one that has hit the player.
        """
        flew, flies = truth.projectile(before), truth.projectile(self._ram)
        if flies and not flew:
            self._count("thrown", flies)
        elif flew and not flies and not ended:
            hit = damage > 0 and flew.distance(truth.player_x(before)) <= REACH
            self._count("suffered" if hit else "dodged", flew)
            return flew.kind if hit else None
        return None

    def _count(self, event: str, projectile: truth.Box) -> None:
        self._projectiles[event][projectile.kind] += 1
        if projectile.kind == truth.Kind.KNIFE:
            self._knives[event]["high" if projectile.top < truth.LOW else "low"] += 1

    def facts(self) -> dict[str, Any]:
        """What was counted so far.

        Returns:
            ``highest_floor`` that was reached; ``floors_cleared``, how many were left behind;
            ``lowest_boss_energy`` of any boss (39 is untouched, 0 beaten); ``lives_lost`` and
            ``damage`` (health points, 39 a life) by cause; ``projectiles`` by kind: how many were
            ``thrown``, ``dodged`` and ``suffered``; the last two may be fewer: a life or a floor
            can end in between; and ``knives``, the same for the knife by its height.
        """
        return {
            "highest_floor": self._floor,
            "floors_cleared": self._cleared,
            "lowest_boss_energy": self._boss_energy,
            "lives_lost": dict(self._lives),
            "damage": dict(self._damage + self._undecided),
            "projectiles": _by_kind(self._projectiles),
            "knives": _by_kind(self._knives),
        }


def _by_kind(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """Counts by event and kind to counts by kind and event."""
    return {
        str(kind): {event: count[kind] for event, count in counts.items()}
        for kind in counts["thrown"]
    }


class LoggedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """Adds ``facts`` (see ``GameLog.facts``) to the information of a game's last step."""

    def __init__(self, game: SingleEnv) -> None:
        """Wrap a game."""
        super().__init__(game)
        self._game = game

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """As in Gymnasium."""
        result = self._game.reset(seed=seed, options=options)
        self._log = GameLog(self._game.ram)
        return result

    def step(
        self, action: SupportsInt
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """As in Gymnasium."""
        obs, reward, terminated, truncated, info = self._game.step(action)
        self._log.update(self._game.ram)
        if terminated or truncated:
            info = {**info, "facts": self._log.facts()}
        return obs, reward, terminated, truncated, info


def make_logged_envs(
    config: EnvConfig, projection: Projection, count: int
) -> list[LoggedEnv] | list[SingleEnv]:
    """Build ``count`` games that are stepped one by one and tell at their end what happened.

    Of another game than Kung-Fu Master nothing is told: its RAM holds other things.
    """
    games = [SingleEnv(projection, config) for _ in range(count)]
    return [LoggedEnv(game) for game in games] if config.game == truth.ROM else games
