"""Divides a rollout into minibatches, and chooses what of it is also reconstructed."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from agent.ppo_config import PPOConfig
from agent.rollout import Rollout


class Minibatch(NamedTuple):
    """Samples of one optimizer step; the first D observations are also reconstructed."""

    obs: Tensor  # (B, C, H, W) uint8
    gauges: Tensor  # (B, G)
    tracks: Tensor  # (B, U)
    regions: Tensor  # (D, C, H, W) uint8
    actions: Tensor  # (B,)
    old_log_probs: Tensor  # (B,)
    advantages: Tensor  # (B,)
    returns: Tensor  # (B,)


def minibatches(
    rollout: Rollout, advantages: Tensor, returns: Tensor, config: PPOConfig, *, has_tracks: bool
) -> Iterator[Minibatch]:
    """Shuffled parts of a rollout, ``num_epochs`` times over.

    Some observations are also reconstructed: those of every C-th step, which together hold every
    frame once but for the few around an episode's end. If artifacts have no units of their own, so
    are those with any artifact, because these are rare and hardest to learn. With artifacts
    everywhere that is the whole rollout, C times the decoder's work. What is held out is none of
    them. They are dealt evenly to the minibatches and stand first in each.

    Args:
        rollout: T steps of N games.
        advantages: (T, N).
        returns: (T, N).
        config: How many epochs and minibatches.
        has_tracks: Whether artifacts have units of their own.
    """
    device = rollout.frames.device
    indices = torch.arange(rollout.size, device=device)
    every_frame = indices // rollout.num_envs % rollout.stack == rollout.stack - 1
    reconstructed = every_frame if has_tracks else every_frame | rollout.any_artifact
    reconstructed = reconstructed & ~rollout.held_out.flatten()
    old_log_probs, actions = rollout.log_probs.flatten(), rollout.actions.flatten()
    advantages, returns = advantages.flatten(), returns.flatten()
    for _ in range(config.num_epochs):
        parts = [
            chosen[torch.randperm(len(chosen), device=device)].tensor_split(config.num_minibatches)
            for chosen in (indices[reconstructed], indices[~reconstructed])
        ]
        for first, rest in zip(*parts, strict=True):
            index = torch.cat([first, rest])
            yield Minibatch(
                rollout.observations(index),
                rollout.observation_gauges(index),
                rollout.observation_tracks(index),
                rollout.observation_regions(first),
                actions[index],
                old_log_probs[index],
                advantages[index],
                returns[index],
            )
