"""A checkpoint to everything that lets an agent play."""

from pathlib import Path
from typing import NamedTuple

from agent.actor_critic import ActorCritic
from encoders import RegionFinder, make_finder
from envs import Projection
from experiment.checkpoint import Checkpoint, restore_model
from experiment.config import TrainConfig
from experiment.model import make_model
from experiment.run_directory import load_checkpoint
from experiment.run_statistics import RunStatistics
from experiment.sources import training_sources


class TrainedAgent(NamedTuple):
    """What a checkpoint holds for somebody who wants to play."""

    checkpoint: Checkpoint
    config: TrainConfig
    """With which it was trained."""
    model: ActorCritic
    projection: Projection
    finder: RegionFinder
    statistics: RunStatistics
    """Of its training."""


def load_agent(path: Path) -> TrainedAgent:
    """Load a checkpoint file, or the newest usable one of a run directory.

    Raises:
        CheckpointError: If there is none that fits.
    """
    return _build(load_checkpoint(path, _build))


def _build(checkpoint: Checkpoint) -> TrainedAgent:
    config = checkpoint.read(TrainConfig, "config")
    projection = checkpoint.read(Projection, "projection")
    finder = make_finder(config.detector, projection)
    checkpoint.check_made_with(training_sources(config.env, finder))
    model = make_model(config)
    model.autoencoder.finder = finder
    restore_model(checkpoint, model)
    return TrainedAgent(
        checkpoint,
        config,
        model,
        projection,
        finder,
        checkpoint.read(RunStatistics, "statistics"),
    )
