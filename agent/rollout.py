"""Storage of one rollout: time-major, allocated once, each frame stored once."""

from copy import copy
from typing import Self

import torch
from torch import Tensor

from agent.credit import NUM_CHANGES

FIDELITY_SHARE, FIDELITY_FEWEST = 64, 16
"""A fidelity sample has one frame with an artifact for so many steps of the rollout, but no fewer
than ``FIDELITY_FEWEST`` if there are as many; and as many frames without."""


class Rollout:
    """T agent steps of N environments.

    Frames overlap between consecutive observations. A frame, its artifact regions and whether it
    has any are stored once, and stacks of C are gathered by index. Row C - 1 + t holds the newest
    frame of step t. The rows before it are its past; in a younger episode the first frame stands
    in, as in the environment's own stack.
    """

    def __init__(
        self,
        num_steps: int,
        num_envs: int,
        obs_shape: tuple[int, int, int],
        device: torch.device,
        num_gauges: int = 0,
        track_units: int = 0,
    ) -> None:
        """Allocate for ``num_steps`` (T) of ``num_envs`` (N).

        Args:
            num_steps: T.
            num_envs: N.
            obs_shape: (C, H, W) of an observation.
            device: Of the memory.
            num_gauges: G, that go with every observation.
            track_units: U, that say what small artifacts did in an observation.
        """
        self.num_steps, self.num_envs = num_steps, num_envs
        self.stack, *size = obs_shape
        rows = (num_steps + self.stack, num_envs)
        steps = (num_steps, num_envs)
        self.frames = torch.zeros(*rows, *size, dtype=torch.uint8, device=device)
        self.regions = torch.zeros_like(self.frames)
        self.frame_has_artifact = torch.zeros(rows, dtype=torch.bool, device=device)
        # Frames of the same episode before the newest, at most C - 1.
        self.ages = torch.zeros(num_steps + 1, num_envs, dtype=torch.int64, device=device)
        self.actions = torch.zeros(steps, dtype=torch.int64, device=device)
        self.log_probs = torch.zeros(steps, device=device)
        self.values = torch.zeros(steps, device=device)
        self.next_values = torch.zeros(steps, device=device)
        self.rewards = torch.zeros(steps, device=device)
        self.gauges = torch.zeros(*steps, num_gauges, device=device)  # with the observations
        self.tracks = torch.zeros(*steps, track_units, device=device)  # of the observations
        self.changes = torch.zeros(*steps, NUM_CHANGES, device=device)  # that the actions brought
        self.terminated = torch.zeros(steps, dtype=torch.bool, device=device)
        self.truncated = torch.zeros(steps, dtype=torch.bool, device=device)
        # Whether the autoencoder must not learn from the observations.
        self.held_out = torch.zeros(steps, dtype=torch.bool, device=device)

    def part(self, first: int, last: int) -> Self:
        """The same memory, but only environments ``first`` to ``last - 1``."""
        part = copy(self)
        part.num_envs = last - first
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(part, name, value[:, first:last])
        return part

    @property
    def size(self) -> int:
        """Agent steps in all, T * N."""
        return self.num_steps * self.num_envs

    @property
    def has_artifact(self) -> Tensor:
        """(T, N) bool: whether the newest frame of a step has an artifact."""
        return self.frame_has_artifact[self.stack - 1 : -1]

    @property
    def any_artifact(self) -> Tensor:
        """(T * N,) bool: whether any of an observation's C frames has an artifact."""
        indices = torch.arange(self.size, device=self.regions.device)
        return self._gather(self.frame_has_artifact, indices).any(dim=1)

    def begin(self, frame: Tensor, regions: Tensor, has_artifact: Tensor) -> None:
        """Start from freshly reset environments.

        Args:
            frame: (N, H, W) uint8, their first frames.
            regions: (N, H, W) uint8, the artifact regions of these.
            has_artifact: (N,) bool, whether there are any.
        """
        self.frames[: self.stack] = frame
        self.regions[: self.stack] = regions
        self.frame_has_artifact[: self.stack] = has_artifact
        self.ages[0] = 0

    def roll_over(self) -> None:
        """Make the observation after the last step the first one of the next rollout."""
        last = torch.arange(self.num_envs, device=self.frames.device)
        last = last + self.num_steps * self.num_envs
        for rows in (self.frames, self.regions, self.frame_has_artifact):
            rows[: self.stack] = self._gather(rows, last).transpose(0, 1)
        self.ages[0] = self.stack - 1

    def add_frame(
        self, t: int, frame: Tensor, regions: Tensor, has_artifact: Tensor, ended: Tensor
    ) -> None:
        """Store what followed step t.

        Args:
            t: The step.
            frame: (N, H, W) uint8, the next frame.
            regions: (N, H, W) uint8, its artifact regions.
            has_artifact: (N,) bool, whether there are any.
            ended: (N,) bool, whether that frame begins another episode.
        """
        self.frames[self.stack + t] = frame
        self.regions[self.stack + t] = regions
        self.frame_has_artifact[self.stack + t] = has_artifact
        grown = (self.ages[t] + 1).clamp(max=self.stack - 1)
        self.ages[t + 1] = torch.where(ended, 0, grown)

    def observations(self, indices: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 of flat indices t * N + n, (B,) int64."""
        return self._gather(self.frames, indices)

    def observation_regions(self, indices: Tensor) -> Tensor:
        """Artifact regions (B, C, H, W) uint8 of the same observations."""
        return self._gather(self.regions, indices)

    def observation_gauges(self, indices: Tensor) -> Tensor:
        """Gauges (B, G) float32 of the same observations."""
        return self.gauges.flatten(0, 1)[indices]

    def observation_tracks(self, indices: Tensor) -> Tensor:
        """Units of artifacts' tracks (B, U) float32 of the same observations."""
        return self.tracks.flatten(0, 1)[indices]

    def spread(self, count: int, *, artifact: bool) -> Tensor:
        """Flat indices (B,) int64 of evenly spaced observations with, or without, an artifact.

        Args:
            count: How many; all if there are fewer.
            artifact: Whether their newest frames have an artifact.
        """
        return spread((self.has_artifact.flatten() == artifact).nonzero().flatten(), count)

    def sample(self, count: int, *, held_out: bool) -> Tensor:
        """Flat indices (B,) int64 of evenly spaced observations that are held out, or are not."""
        return spread((self.held_out.flatten() == held_out).nonzero().flatten(), count)

    def fidelity_sample(self, *, held_out: bool = False) -> tuple[Tensor, Tensor]:
        """What ``artifact_fidelity`` compares: as many frames with an artifact as without.

        Args:
            held_out: Whether they are those that the autoencoder does not learn from.

        Returns:
            Observations (B, C, H, W) uint8 and the regions of their newest frames, (B, H, W) uint8.
        """
        count = max(FIDELITY_FEWEST, self.size // FIDELITY_SHARE)
        kind, has_artifact = self.held_out.flatten() == held_out, self.has_artifact.flatten()
        chosen = (kind & (has_artifact == has) for has in (True, False))
        indices = torch.cat([spread(one.nonzero().flatten(), count) for one in chosen])
        return self.observations(indices), self.observation_regions(indices)[:, -1]

    def _gather(self, rows: Tensor, indices: Tensor) -> Tensor:
        newest = indices + (self.stack - 1) * self.num_envs  # (B,) flat row of the newest frame
        back = torch.arange(self.stack - 1, -1, -1, device=rows.device)  # (C,)
        back = torch.minimum(back, self.ages.flatten()[indices, None])  # (B, C)
        flat = newest[:, None] - back * self.num_envs
        # With whole rows, index_select is ten times as fast as indexing.
        found = rows.flatten(0, 1).index_select(0, flat.flatten())
        return found.view(*flat.shape, *rows.shape[2:])


def spread(indices: Tensor, count: int) -> Tensor:
    """``count`` of ``indices``, evenly spaced, or all if there are no more."""
    if len(indices) <= count:
        return indices
    return indices[torch.linspace(0, len(indices) - 1, count, device=indices.device).long()]
