"""Acting: runs the policy in the environments and fills rollouts."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from agent.actor_critic import ActorCritic
from agent.rollout import Rollout
from encoders import ArtifactDetector


class Episode(NamedTuple):
    """A finished game."""

    score: float
    """Raw game score."""
    length: int
    """Agent steps."""


class Collector:
    """Plays N environments with the policy and stores what happened."""

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        model: ActorCritic,
        detector: ArtifactDetector,
        rollout: Rollout,
        seed: int,
    ) -> None:
        """Reset the environments from ``seed`` and place their first frames in ``rollout``.

        Args:
            envs: Autoreset mode SAME_STEP, observations (N, C, H, W) uint8.
            model: The policy, and the value of what comes after the last step.
            detector: Looks at every new frame once.
            rollout: Filled anew by every ``collect``.
            seed: Seed of the environments.
        """
        self.envs, self.model = envs, model
        self.detector, self.rollout = detector, rollout
        self.device = rollout.frames.device
        self._obs, _ = envs.reset(seed=seed)
        rollout.begin(*self._newest(self._obs))
        self._started = False

    @torch.no_grad()
    def collect(self) -> list[Episode]:
        """Fill the rollout; returns the episodes that ended in it."""
        rollout = self.rollout
        if self._started:
            rollout.roll_over()
        self._started = True
        episodes: list[Episode] = []
        bootstraps: list[tuple[int, Tensor, Tensor]] = []
        for t in range(rollout.num_steps):
            policy, rollout.values[t], _ = self.model(self._to_device(self._obs))
            actions = policy.sample()
            self._obs, rewards, terminated, truncated, infos = self.envs.step(actions.cpu().numpy())
            rollout.actions[t] = actions
            rollout.log_probs[t] = policy.log_prob(actions)
            rollout.rewards[t] = self._to_device(rewards)
            rollout.terminated[t] = self._to_device(terminated)
            rollout.truncated[t] = self._to_device(truncated)
            ended = terminated | truncated
            rollout.add_frame(t, *self._newest(self._obs), self._to_device(ended))
            episodes += [
                Episode(float(infos["episode"]["r"][n]), int(infos["episode"]["l"][n]))
                for n in np.flatnonzero(ended)
            ]
            if truncated.any():
                cut = self._to_device(np.flatnonzero(truncated))
                final_obs = self._to_device(infos["final_obs"][truncated])
                bootstraps.append((t, cut, self.model(final_obs).value))
        rollout.next_values[:-1] = rollout.values[1:]
        rollout.next_values[-1] = self.model(self._to_device(self._obs)).value
        for t, cut, value in bootstraps:
            rollout.next_values[t, cut] = value
        return episodes

    def _newest(self, obs: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Newest frame of each observation and its artifact region, (N, H, W) uint8 each."""
        frames = np.ascontiguousarray(obs[:, -1])
        return self._to_device(frames), self._to_device(self.detector(frames))

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)
