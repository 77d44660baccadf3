"""Whole games with the sampled policy."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.wrappers import HumanRendering
from numpy.typing import NDArray

from agent.actor_critic import ActorCritic, act
from agent.threads import Pulse, in_parallel

EVALUATION_SEED = 1_000_000
"""Default seed of the games that judge a policy."""
MAX_PARALLEL = 16
"""Most games played at the same time. With more of them the wait for the last would be longer."""
Env = gym.Env[NDArray[np.uint8], Any]


class PlayedGame(NamedTuple):
    """A whole game that was played to judge a policy."""

    score: float
    """Raw game score."""
    length: int
    """Agent steps."""
    truncated: bool
    """Whether the protocol's limit ended it."""
    facts: Mapping[str, Any]
    """What the environment tells of it in ``info["facts"]``: numbers by name, perhaps nested."""


def play_games(envs: Sequence[Env], model: ActorCritic, games: int, seed: int) -> list[PlayedGame]:
    """Play whole games with the sampled policy.

    The environments are played in two parts, each in a thread of its own. An environment begins
    its next game as soon as its last is over, until enough have begun. Every game that begins
    counts, however long it takes. If the first to end counted, short games would be favoured, and
    those are the bad ones.

    Args:
        envs: At least one; observations (C, H, W) uint8.
        model: The policy, on any device.
        games: How many games in all, at least one for each environment.
        seed: Seed of environments and action sampling; the same seed gives the same games.

    Returns:
        ``games`` games, those of each part in the order in which they began.
    """
    tasks = [
        partial(play_share, envs[share.first : share.first + share.seats], model, share, seed)
        for share in shares(games, len(envs))
    ]
    if isinstance(envs[0], HumanRendering):  # a window belongs to the main thread
        return tasks[0](Pulse())
    return [game for played in in_parallel(tasks) for game in played]


class Share(NamedTuple):
    """What one part plays."""

    first: int
    """Number of its first environment."""
    seats: int
    """How many environments it has."""
    games: int
    """How many games."""


def shares(games: int, seats: int) -> list[Share]:
    """Divide ``games`` and the environments in which they are played between two parts, or one."""
    assert games >= seats >= 1
    if seats == 1:
        return [Share(0, 1, games)]
    cut = seats - seats // 2
    return [Share(0, cut, games - games // 2), Share(cut, seats - cut, games // 2)]


class _Seat:
    """An environment and its current game."""

    def __init__(self, env: Env, number: int, seed: int) -> None:
        """Begin game ``number``."""
        self.env, self.number = env, number
        self.score, self.length = 0.0, 0
        self.obs, self.info = env.reset(seed=seed)

    def begin(self, number: int) -> None:
        """Begin another game, number ``number``; the emulator's random state continues."""
        self.number, self.score, self.length = number, 0.0, 0
        self.obs, self.info = self.env.reset()

    def step(self, action: int) -> PlayedGame | None:
        """Act; returns the game if that ended it."""
        self.obs, reward, terminated, truncated, self.info = self.env.step(action)
        self.score += float(reward)
        self.length += 1
        if not (terminated or truncated):
            return None
        return PlayedGame(self.score, self.length, truncated, self.info.get("facts", {}))


@torch.no_grad()
def play_share(
    envs: Sequence[Env], model: ActorCritic, share: Share, seed: int, pulse: Pulse
) -> list[PlayedGame]:
    """Play the games of one part; fewer if ``pulse`` stops it.

    Args:
        envs: Its environments.
        model: The policy, on any device.
        share: What it plays.
        seed: As for all parts.
        pulse: Is told of every step.
    """
    device = next(model.parameters()).device
    games, seed = share.games, seed + share.first
    generator = torch.Generator(device).manual_seed(seed)
    seats = [_Seat(env, number, seed + number) for number, env in enumerate(envs)]
    begun = len(seats)
    played: dict[int, PlayedGame] = {}  # by the order in which they began
    while seats and pulse.beat():
        actions = act(model, [seat.obs for seat in seats], [seat.info for seat in seats], generator)
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
