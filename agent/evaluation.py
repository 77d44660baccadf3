"""Judging a policy: whole games with the sampled policy."""

from collections.abc import Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any, NamedTuple, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from agent.actor_critic import ActorCritic, sample
from agent.parallel import in_parallel

EVALUATION_SEED = 1_000_000
"""Default seed of the games that judge a policy."""
MAX_PARALLEL = 16
"""Games played at the same time at most. More of them would wait longer for the last to end."""
Env = gym.Env[NDArray[np.uint8], Any]


class Game(NamedTuple):
    """A whole game that was played to judge a policy."""

    score: float
    """Raw game score."""
    length: int
    """Agent steps."""
    facts: Mapping[str, Any]
    """What the environment tells of it in ``info["facts"]``: numbers by name, perhaps nested."""


def play_games(envs: Sequence[Env], model: ActorCritic, games: int, seed: int) -> list[Game]:
    """Play whole games with the sampled policy.

    The environments are played in two halves, each in a thread of its own; one takes its next game
    as soon as its last is over, until enough have begun. All that begin count, however long they
    take. Taking the first that finish instead would favour short ones, which are the bad ones.

    Args:
        envs: At least one; observations (C, H, W) uint8.
        model: The policy, on any device.
        games: How many games in all, at least one for each environment.
        seed: Seed of environments and action sampling; the same seed gives the same games.

    Returns:
        ``games`` games, those of each half in the order in which they began.
    """
    assert games >= len(envs) >= 1
    cut = len(envs) - len(envs) // 2
    halves = [half for half in (envs[:cut], envs[cut:]) if half]
    shares = [games - games // 2, games // 2] if len(halves) > 1 else [games]
    tasks = [
        partial(_play, half, model, share, seed + first)
        for half, share, first in zip(halves, shares, (0, cut), strict=False)
    ]
    return [game for played in in_parallel(tasks) for game in played]


class _Seat:
    """An environment and the game that it is at."""

    def __init__(self, env: Env, number: int, seed: int) -> None:
        """Begin game ``number``."""
        self.env, self.number = env, number
        self.score, self.length = 0.0, 0
        self.obs, _ = env.reset(seed=seed)

    def begin(self, number: int) -> None:
        """Begin another game, number ``number``, with the chance of the last going on."""
        self.number, self.score, self.length = number, 0.0, 0
        self.obs, _ = self.env.reset()

    def step(self, action: int) -> Game | None:
        """Act; returns the game if that ended it."""
        self.obs, reward, terminated, truncated, info = self.env.step(action)
        self.score += float(reward)
        self.length += 1
        if not (terminated or truncated):
            return None
        return Game(self.score, self.length, info.get("facts", {}))


@torch.no_grad()
def _play(
    envs: Sequence[Env], model: ActorCritic, games: int, seed: int, stop: Event
) -> list[Game]:
    """``play_games`` of one half, unless ``stop`` is set."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    seats = [_Seat(env, number, seed + number) for number, env in enumerate(envs)]
    begun = len(seats)
    played: dict[int, Game] = {}  # by the order in which they began
    while seats and not stop.is_set():
        obs = torch.from_numpy(np.stack([seat.obs for seat in seats])).to(device)
        actions = cast(list[int], sample(model(obs).policy, generator).tolist())
        going_on: list[_Seat] = []
        for seat, action in zip(seats, actions, strict=True):
            game = seat.step(action)
            if game:
                played[seat.number] = game
                if begun == games:
                    continue  # enough have begun: this one rests
                seat.begin(begun)
                begun += 1
            going_on.append(seat)
        seats = going_on
    return [played[number] for number in sorted(played)]
