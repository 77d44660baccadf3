"""Storage of one rollout: time-major, allocated once, each frame stored once."""

from copy import copy
from typing import Self

import torch
from torch import Tensor


class Rollout:
    """T steps of N environments, in agent steps.

    Frames overlap between consecutive observations, so a frame and its artifact region are stored
    once and stacks of C are gathered by index. Row C - 1 + t holds the newest frame of step t; the
    rows before it are its past, unless the episode is younger than that: then its first frame
    stands in, exactly as in the environment's own stack.
    """

    def __init__(
        self, num_steps: int, num_envs: int, obs_shape: tuple[int, int, int], device: torch.device
    ) -> None:
        """Allocate for ``num_steps`` (T) of ``num_envs`` (N), observations (C, H, W)."""
        self.num_steps, self.num_envs = num_steps, num_envs
        self.stack, *size = obs_shape
        rows = (num_steps + self.stack, num_envs)
        steps = (num_steps, num_envs)
        self.frames = torch.zeros(*rows, *size, dtype=torch.uint8, device=device)
        self.regions = torch.zeros_like(self.frames)
        # Frames of the same episode before the newest, at most C - 1.
        self.ages = torch.zeros(num_steps + 1, num_envs, dtype=torch.int64, device=device)
        self.actions = torch.zeros(steps, dtype=torch.int64, device=device)
        self.log_probs = torch.zeros(steps, device=device)
        self.values = torch.zeros(steps, device=device)
        self.next_values = torch.zeros(steps, device=device)
        self.rewards = torch.zeros(steps, device=device)
        self.terminated = torch.zeros(steps, dtype=torch.bool, device=device)
        self.truncated = torch.zeros(steps, dtype=torch.bool, device=device)

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
        """(T, N) bool: whether the newest frame of a step holds an artifact."""
        return self._occupied[self.stack - 1 : -1]

    @property
    def shows_artifact(self) -> Tensor:
        """(T * N,) bool: whether any of an observation's C frames holds an artifact."""
        indices = torch.arange(self.size, device=self.regions.device)
        return self._gather(self._occupied, indices).any(dim=1)

    @property
    def _occupied(self) -> Tensor:
        """(T + C, N) bool: whether a stored frame holds an artifact."""
        return self.regions.flatten(2).any(dim=2) != 0

    def begin(self, frame: Tensor, region: Tensor) -> None:
        """Start from freshly reset environments: their first frame and region, (N, H, W) uint8."""
        self.frames[: self.stack] = frame
        self.regions[: self.stack] = region
        self.ages[0] = 0

    def roll_over(self) -> None:
        """Make the observation after the last step the first one of the next rollout."""
        last = torch.arange(self.num_envs, device=self.frames.device)
        last = last + self.num_steps * self.num_envs
        for rows in (self.frames, self.regions):
            rows[: self.stack] = self._gather(rows, last).transpose(0, 1)
        self.ages[0] = self.stack - 1

    def add_frame(self, t: int, frame: Tensor, region: Tensor, ended: Tensor) -> None:
        """Store what followed step t: (N, H, W) uint8 twice, and (N,) bool where it is a reset."""
        self.frames[self.stack + t] = frame
        self.regions[self.stack + t] = region
        grown = (self.ages[t] + 1).clamp(max=self.stack - 1)
        self.ages[t + 1] = torch.where(ended, 0, grown)

    def observations(self, indices: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 of flat indices t * N + n, (B,) int64."""
        return self._gather(self.frames, indices)

    def observation_regions(self, indices: Tensor) -> Tensor:
        """Artifact regions (B, C, H, W) uint8 of the same observations."""
        return self._gather(self.regions, indices)

    def _gather(self, rows: Tensor, indices: Tensor) -> Tensor:
        newest = indices + (self.stack - 1) * self.num_envs  # (B,) flat row of the newest frame
        back = torch.arange(self.stack - 1, -1, -1, device=rows.device)  # (C,)
        back = torch.minimum(back, self.ages.flatten()[indices, None])  # (B, C)
        flat = newest[:, None] - back * self.num_envs
        # With whole rows, index_select is ten times as fast as indexing.
        found = rows.flatten(0, 1).index_select(0, flat.flatten())
        return found.view(*flat.shape, *rows.shape[2:])
