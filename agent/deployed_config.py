"""What a deployed policy tells of itself: everything but its weights, as JSON can hold it."""

from dataclasses import dataclass
from typing import Any

from agent.actor_critic import ActorCriticConfig


@dataclass(frozen=True)
class TrainingFacts:
    """How a policy was trained."""

    algorithm: str
    """ppo or a2c."""
    seed: int
    """Of the training."""
    steps: int
    """Agent steps."""
    seconds: float
    """Duration without evaluation."""
    reward_scale: float
    """The learner saw the score times this factor."""
    reward_clip: tuple[float, float]
    """It saw scaled rewards cut to this range."""
    artifact_weight: float
    """Weight of a small artifact's pixels in the reconstruction loss; others weigh 1 or less."""
    artifact_recall: float | None
    """Share of frames with an artifact in which the reconstruction kept it, at the end of the
    training; None if none was seen."""


@dataclass(frozen=True)
class EvaluationFacts:
    """How a policy scored: raw scores of whole games."""

    episodes: int
    """Whole games."""
    seed: int
    """Of the games."""
    mean: float
    """Of the scores."""
    std: float
    """Standard deviation of the scores."""
    ci95: tuple[float, float]
    """95 % interval of the mean."""


@dataclass(frozen=True)
class DeployedConfig:
    """The content of ``config.json``."""

    obs_shape: tuple[int, int, int]
    """Of one observation: C, H, W."""
    num_actions: int
    """How many the policy chooses from."""
    model: ActorCriticConfig
    """Size of the network."""
    projection: dict[str, Any]
    """What makes observations of screens: lists of colours ``background`` and ``artifacts``."""
    env: dict[str, Any]
    """The protocol of the games: ``frameskip``, ``repeat_action_probability`` and
    ``max_episode_frames``."""
    training: TrainingFacts
    """How the policy was trained."""
    evaluation: EvaluationFacts | None = None
    """How it scored; None if it was not judged."""
