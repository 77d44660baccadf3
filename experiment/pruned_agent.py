"""A trained agent with fewer units."""

from dataclasses import replace
from pathlib import Path

import torch

from agent.pruning import prune
from experiment.agent_rollout import agent_rollout
from experiment.checkpoint import weights_alone, write_checkpoint
from experiment.errors import UserError
from experiment.trained_agent import TrainedAgent
from settings import to_json

SEED = 3_000_000
"""Of the games in which units are watched."""
OBSERVATIONS = 512
"""In which they are watched; all of a rollout if it has fewer."""


def write_pruned_agent(agent: TrainedAgent, share: float, path: Path) -> int:
    """Write a checkpoint to play with, without the units that add least.

    Args:
        agent: The agent, which stays as it is.
        share: What is removed of each layer, from 0 to less than 1.
        path: File for the checkpoint.

    Returns:
        How many numbers it holds.

    Raises:
        UserError: If the network cannot be pruned.
    """
    rollout = agent_rollout(agent, SEED)
    index = torch.randperm(rollout.size, generator=torch.Generator().manual_seed(0))[:OBSERVATIONS]
    try:
        pruned = prune(
            agent.model,
            rollout.observations(index),
            rollout.observation_gauges(index),
            rollout.observation_tracks(index),
            share,
        )
    except ValueError as error:
        raise UserError(f"{agent.checkpoint.path}: {error}") from error
    config = replace(agent.config, model=pruned.config)
    tensors = {f"model.{name}": value for name, value in pruned.tensors.items()}
    checkpoint = agent.checkpoint._replace(tensors=tensors)
    state = {**checkpoint.state, "config": to_json(config)}
    write_checkpoint(path, weights_alone(checkpoint), state)
    return sum(value.numel() for value in tensors.values())
