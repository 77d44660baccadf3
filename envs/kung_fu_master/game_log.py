"""What happened in a game, read from its RAM: why a score is what it is. Never for training."""

from collections import Counter
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.game import GAME
from envs.kung_fu_master import ram as truth
from envs.projection import Projection
from envs.single import SingleEnv
from envs.vector import EnvConfig

REACH = 12
"""Largest distance, in pixels, between the player's middle and a projectile that hits him. It flies
5 pixels a step and he is 8 wide."""
TIME_OUT = "time"
"""Cause of a lost life that still had health: the clock ran out."""


class GameLog:
    """Counts a game's events from the RAM after every agent step.

    Health that is lost in the step in which a projectile ends beside the player is attributed to
    the projectile. All other health is attributed to the present enemy; the RAM names one even if
    several are near. In 8,000 recorded steps of the first floor every loss of two or more health
    points was a projectile's. This holds for four emulator frames to an agent step: with many more,
    a projectile flies too far in one step to be told from a blow.
    """

    def __init__(self, ram: NDArray[np.uint8]) -> None:
        """Begin with the RAM (128,) at the start of a game."""
        self._floor = int(ram[truth.FLOOR])
        self._lives: Counter[str] = Counter()
        self._damage: Counter[str] = Counter()
        self._undecided: Counter[str] = Counter()  # damage, or the bonus at the end of a floor
        self._projectiles = {event: Counter[str]() for event in ("thrown", "dodged", "suffered")}
        self._last_cause = TIME_OUT
        self._ram = ram

    def update(self, ram: NDArray[np.uint8]) -> None:
        """Take in the RAM (128,) after an agent step."""
        before, self._ram = self._ram, ram
        self._floor = max(self._floor, int(ram[truth.FLOOR]))
        lost_life = (int(before[truth.LIVES]) - int(ram[truth.LIVES])) % 256 == 1  # 255 ends it
        same_scene = not lost_life and ram[truth.FLOOR] == before[truth.FLOOR]
        health = truth.player_health(before)
        damage = max(0, health - truth.player_health(ram))
        flew, flies = truth.projectile(before), truth.projectile(ram)
        hit = False
        if flies and not flew:
            self._projectiles["thrown"][flies.kind] += 1
        elif flew and not flies and same_scene:
            hit = damage > 0 and flew.distance(truth.player_x(before)) <= REACH
            self._projectiles["suffered" if hit else "dodged"][flew.kind] += 1
        if damage:
            enemy = truth.ENEMIES.get(int(before[truth.ENEMY]), truth.UNKNOWN_ENEMY)
            self._last_cause = str(flew.kind) if flew and hit else enemy
            self._undecided[self._last_cause] += damage
        self._settle(damage, lost_life, passed=not (lost_life or same_scene))
        if lost_life:
            cause = TIME_OUT if health else self._last_cause
            self._lives[cause] += 1

    def _settle(self, damage: int, lost_life: bool, *, passed: bool) -> None:
        """Decide whether lost health was damage.

        After a floor's boss is beaten the game turns health into points, one in each step, until
        none is left; then the next floor begins. That is no damage.
        """
        if passed:
            self._undecided.clear()
        elif lost_life or (damage != 1 and truth.player_health(self._ram) > 0):
            self._damage += self._undecided
            self._undecided.clear()

    def facts(self) -> dict[str, Any]:
        """What was counted so far.

        Returns:
            ``floor``, the highest that was reached; ``lives_lost`` and ``damage`` (health points,
            39 a life) by cause; ``projectiles`` by kind: how many were ``thrown``, ``dodged`` and
            ``suffered``; the last two may be fewer: a life or a floor can end in between.
        """
        kinds = self._projectiles["thrown"]
        return {
            "floor": self._floor,
            "lives_lost": dict(self._lives),
            "damage": dict(self._damage + self._undecided),
            "projectiles": {
                str(kind): {event: count[kind] for event, count in self._projectiles.items()}
                for kind in kinds
            },
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
    return [LoggedEnv(game) for game in games] if GAME.rom == truth.ROM else games
