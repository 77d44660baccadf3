"""Tiny environments whose every number can be worked out by hand."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from agent.actor_critic import ActorCritic
from agent.rollout import Rollout

OBS_SHAPE = (4, 16, 24)
NUM_ACTIONS = 3
GAUGES = ("health", "clock")
STAGES = ("stage_1", "stage_2")


class CountingEnv(VectorEnv):
    """Frame k of an episode has grey level 10 + k; the reward is the action.

    Its gauges ``GAUGES`` are k / 10, and 0.1 if k is odd. The changes of the step that leads to it
    are k, 10 k and 100 k. Environment n terminates after ``lengths[n]`` steps,
    or is truncated there if n is odd.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012, as in Gymnasium

    def __init__(
        self, lengths: list[int], obs_shape: tuple[int, ...] = OBS_SHAPE, num_gauges: int = 2
    ) -> None:
        self.num_envs, self.lengths = len(lengths), np.array(lengths)
        self.num_gauges = num_gauges
        self.single_observation_space = Box(0, 255, obs_shape, np.uint8)
        self.single_action_space = Discrete(NUM_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _obs(self) -> np.ndarray:
        ages = np.maximum(self.ages[:, None] + np.arange(-3, 1), 0)  # padded with the first frame
        levels = (10 + ages).astype(np.uint8)[:, :, None, None]
        return np.broadcast_to(levels, self.observation_space.shape).copy()

    def _gauges(self) -> np.ndarray:
        gauges = np.zeros((self.num_envs, self.num_gauges), np.float32)
        gauges[:, :2] = np.stack([self.ages, self.ages % 2], axis=1) / 10
        return gauges

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.ages = np.zeros(self.num_envs, int)
        self.returns = np.zeros(self.num_envs)
        return self._obs(), {"gauges": self._gauges()}

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        self.ages += 1
        self.returns += actions
        ended = self.ages == self.lengths
        odd = np.arange(self.num_envs) % 2 == 1
        infos: dict[str, Any] = {"changes": self.ages[:, None] * np.float32([1, 10, 100])}
        if ended.any():
            infos |= {"final_obs": self._obs(), "final_gauges": self._gauges(), "_episode": ended}
            infos["episode"] = {"r": self.returns * ended, "l": self.ages * ended}
        self.ages[ended] = 0
        self.returns[ended] = 0
        infos["gauges"] = self._gauges()
        return self._obs(), actions.astype(np.int32), ended & ~odd, ended & odd, infos


class CountingGame(gym.Env):
    """One game of ``length`` steps; frame k has grey level 10 + k and the reward is the action.

    From step ``artifact_at`` on there is an artifact. It ends with a fact.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012, as in Gymnasium

    def __init__(
        self,
        length: int,
        obs_shape: tuple[int, ...] = OBS_SHAPE,
        artifact_at: int | None = None,
        num_gauges: int = 0,
    ) -> None:
        self.length, self.artifact_at = length, artifact_at
        self.num_gauges = num_gauges
        self.observation_space = Box(0, 255, obs_shape, np.uint8)
        self.action_space = Discrete(NUM_ACTIONS)
        self.seeds: list[int | None] = []

    def _obs(self) -> np.ndarray:
        ages = np.maximum(self.age + np.arange(-3, 1), 0)
        levels = (10 + ages).clip(max=120).astype(np.uint8)[:, None, None]
        obs = np.broadcast_to(levels, self.observation_space.shape).copy()
        if self.artifact_at is not None and self.age >= self.artifact_at:
            obs[-1, 8:10, 10:15] = 255
        return obs

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.age, self.total = 0, 0.0
        return self._obs(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.age += 1
        self.total += float(action)
        over = self.age == self.length
        facts = {"facts": {"floor": 1, "sum": {"rewards": self.total}}} if over else {}
        return self._obs(), float(action), over, False, facts | self._info()

    def _info(self) -> dict[str, Any]:
        return {"gauges": np.zeros(self.num_gauges, np.float32)} if self.num_gauges else {}

    def render(self) -> np.ndarray:
        return np.full((210, 160, 3), self.age % 256, np.uint8)


class StagedGame(CountingGame):
    """A game whose stage, 1 or 2, changes with every step; remembers what was done on which."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.acted: list[tuple[int, int]] = []

    def _info(self) -> dict[str, Any]:
        return {"gauges": np.eye(2, dtype=np.float32)[self.age % 2]}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.acted.append((self.age % 2 + 1, int(action)))
        return super().step(action)


def obey_the_stage(model: ActorCritic) -> None:
    """Let a model with ``STAGES`` take action 2 on stage 1 and action 0 on stage 2, for certain."""
    with torch.no_grad():
        last = model.actor.last
        last.weight.zero_()
        bias = last.bias.zero_().view(len(STAGES), -1)
        bias[0, 2] = bias[1, 0] = 1000.0


def put_regions(rollout: Rollout, rows: Any, value: int | Tensor) -> None:
    """Write artifact regions into rows of a rollout as a collector would: noted which have any."""
    rollout.regions[rows] = value
    rollout.frame_has_artifact[:] = rollout.regions.flatten(2).any(dim=2) != 0
