"""A trained agent from a checkpoint, with all that it takes to let it play."""

from pathlib import Path
from typing import NamedTuple

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.checkpoint import Checkpoint
from agent.counters import Counters
from encoders import ArtifactDetector, ArtifactDetectorConfig, ArtifactWeightsConfig
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, EnvConfig, Projection


class Trained(NamedTuple):
    """What a checkpoint holds for somebody who wants to play."""

    checkpoint: Checkpoint
    model: ActorCritic
    env: EnvConfig
    projection: Projection
    detector: ArtifactDetector
    weights: ArtifactWeightsConfig
    counters: Counters


def load_trained(path: Path) -> Trained:
    """Load a checkpoint file, or the newest usable one of a run directory.

    Raises:
        CheckpointError: If there is none that fits.
    """
    return _build(checkpoints.load(path, _build))


def _build(checkpoint: Checkpoint) -> Trained:
    model_config = checkpoint.read(ActorCriticConfig, "config", "model")
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, model_config)
    checkpoints.restore_model(checkpoint, model)
    return Trained(
        checkpoint,
        model,
        checkpoint.read(EnvConfig, "config", "env"),
        checkpoint.read(Projection, "projection"),
        ArtifactDetector(checkpoint.read(ArtifactDetectorConfig, "config", "detector")),
        checkpoint.read(ArtifactWeightsConfig, "config", "weights"),
        checkpoint.read(Counters, "counters"),
    )
