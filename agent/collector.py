"""Acting: runs the policy in the environments and fills rollouts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from agent.acting import Acting
from agent.actor_critic import ActorCritic
from agent.rollout import Rollout
from agent.threads import Pulse, in_parallel
from encoders import Points, RegionFinder
from encoders.encoder import channels_last


class Episode(NamedTuple):
    """A finished game."""

    score: float
    """Raw game score."""
    length: int
    """Agent steps."""


class Collector:
    """Plays N environments with the policy and stores what happened.

    The environments come in parts, each in a thread of its own. Within a part, emulator and network
    take turns. While one part is in the emulator, the policy acts for another, and no core waits.
    """

    def __init__(
        self,
        envs: Sequence[VectorEnv[Any, Any, Any]],
        model: ActorCritic,
        finder: RegionFinder,
        rollout: Rollout,
        seed: int,
        held_out: float = 0.0,
    ) -> None:
        """Reset the environments from ``seed`` and place their first frames in ``rollout``.

        Args:
            envs: Parts of the N environments; autoreset mode SAME_STEP, observations
                (N, C, H, W) uint8.
            model: The policy, and the value of what comes after the last step.
            finder: Looks at every new frame once.
            rollout: Filled anew by every ``collect``.
            seed: Seed of the environments and of the actions.
            held_out: Share of the episodes that the autoencoder must not learn from.
        """
        self.rollout = rollout
        self._parts: list[Part] = []
        first = 0
        for part in envs:
            columns = rollout.part(first, first + part.num_envs)
            self._parts.append(Part(part, model, finder, columns, seed + first, held_out))
            first += part.num_envs
        assert first == rollout.num_envs
        in_parallel([part.begin for part in self._parts])
        for part in self._parts:
            part.record()
        self._started = False

    def collect(self) -> list[Episode]:
        """Fill the rollout; returns the episodes that ended in it."""
        if self._started:
            self.rollout.roll_over()
        self._started = True
        played = in_parallel([part.collect for part in self._parts])
        return [episode for episodes in played for episode in episodes]


class Part:
    """Plays some of the environments and fills their columns of the rollout."""

    def __init__(
        self,
        envs: VectorEnv[Any, Any, Any],
        model: ActorCritic,
        finder: RegionFinder,
        rollout: Rollout,
        seed: int,
        held_out: float,
    ) -> None:
        """As for Collector, with the environments and the rollout's columns of this part."""
        self.envs, self.model, self._acting = envs, model, Acting(model)
        self.finder, self.rollout = finder, rollout
        self.device = rollout.frames.device
        self.seed = seed
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self._share, self._holder = held_out, np.random.default_rng(seed)
        self._held_out = np.zeros(envs.num_envs, np.bool_)

    def begin(self, _pulse: Pulse) -> None:
        """Reset the environments and place their first frames."""
        self._obs, infos = self.envs.reset(seed=self.seed)
        self._gauges = self._to_device(infos["gauges"])
        self._hold_out(np.ones_like(self._held_out))
        self.rollout.begin(*self._newest(self._obs))
        self._tracks = self.rollout.tracks[0]
        autoencoder = self.model.autoencoder
        if autoencoder.locator:
            self._points = autoencoder.locate(self._to_device(self._obs))
            self._tracks = autoencoder.track(self._points)

    def record(self) -> None:
        """Make what the network does at every step quicker."""
        has_tracks = self.model.autoencoder.locator is not None
        self._acting.record(*self._seen(), self._points if has_tracks else None)

    @torch.no_grad()
    def collect(self, pulse: Pulse) -> list[Episode]:
        """Fill the columns unless ``pulse`` stops it; returns the episodes that ended in them."""
        rollout = self.rollout
        episodes: list[Episode] = []
        bootstraps: list[tuple[int, Tensor, Tensor]] = []
        for t in range(rollout.num_steps):
            if not pulse.beat():
                break
            rollout.gauges[t], rollout.tracks[t] = self._gauges, self._tracks
            if self._share:
                rollout.held_out[t] = self._to_device(self._held_out)
            log_probs, probs, rollout.values[t] = self._acting.see(*self._seen())
            actions = torch.multinomial(probs, 1, generator=self.generator)
            rollout.actions[t] = actions[:, 0]
            rollout.log_probs[t] = log_probs.gather(1, actions)[:, 0]
            self._obs, rewards, terminated, truncated, infos = self.envs.step(
                actions[:, 0].cpu().numpy()
            )
            self._gauges = self._to_device(infos["gauges"])
            rollout.changes[t] = self._to_device(infos["changes"])
            rollout.rewards[t] = self._to_device(rewards)
            rollout.terminated[t] = self._to_device(terminated)
            rollout.truncated[t] = self._to_device(truncated)
            ended = terminated | truncated
            self._hold_out(ended)
            begins = self._to_device(ended)
            frames, regions, has_artifact = self._newest(self._obs)
            rollout.add_frame(t, frames, regions, has_artifact, begins)
            self._locate(frames, begins)
            episodes += [
                Episode(float(infos["episode"]["r"][n]), int(infos["episode"]["l"][n]))
                for n in np.flatnonzero(ended)
            ]
            if truncated.any():
                cut = self._to_device(np.flatnonzero(truncated))
                final_obs = self._to_device(infos["final_obs"][truncated])
                final_gauges = self._to_device(infos["final_gauges"][truncated])
                bootstraps.append((t, cut, self.model(final_obs, final_gauges).value))
        rollout.next_values[:-1] = rollout.values[1:]
        _, _, rollout.next_values[-1] = self._acting.see(*self._seen())
        for t, cut, value in bootstraps:
            rollout.next_values[t, cut] = value
        return episodes

    def _hold_out(self, begins: NDArray[np.bool_]) -> None:
        """Choose among the episodes that begin, (N,), those that are held out."""
        if self._share and begins.any():
            chosen = self._holder.random(len(begins)) < self._share
            self._held_out = np.where(begins, chosen, self._held_out)

    def _seen(self) -> tuple[Tensor, Tensor, Tensor]:
        """What goes with the present step: observations, gauges, tracks."""
        return channels_last(self._to_device(self._obs)), self._gauges, self._tracks

    def _locate(self, frames: Tensor, begins: Tensor) -> None:
        """Look for artifacts in the newest frames, and note what they did in all of them.

        Args:
            frames: (N, H, W) uint8.
            begins: (N,) bool, whether that frame begins another episode.
        """
        autoencoder = self.model.autoencoder
        if autoencoder.locator:
            self._points = Points(*self._acting.follow(frames, begins, *self._points))
            if self._points.present.any():
                self._tracks = self._acting.link(*self._points)
            else:  # most often, and quicker
                self._tracks = autoencoder.track(self._points)

    def _newest(self, obs: NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor]:
        """Newest frames, their artifact regions, (N, H, W) each, and whether there are any, (N,).

        This is the one place where a new frame is searched.
        """
        frames = np.ascontiguousarray(obs[:, -1])
        regions = self.finder(obs)
        has_artifact = np.asarray(regions.any(axis=(1, 2)))
        return self._to_device(frames), self._to_device(regions), self._to_device(has_artifact)

    def _to_device(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()  # a copy, so that the transfer can be left to itself
        return tensor.to(self.device, non_blocking=True)
