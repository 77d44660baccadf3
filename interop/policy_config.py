"""What an exported policy tells of itself: everything but its weights, as JSON can hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from agent.actor_critic import ActorCriticConfig
from agent.credit import CreditConfig
from envs import EnvConfig, Game, Projection
from experiment.trained_agent import TrainedAgent


@dataclass(frozen=True)
class TrainingFacts:
    """How a policy was trained."""

    algorithm: str
    """ppo or a2c."""
    seed: int
    """Seed of the training."""
    steps: int
    """Agent steps."""
    seconds: float
    """Duration, without evaluation."""
    reward_scale: float
    """The learner saw the score times this factor."""
    reward_clip: tuple[float, float]
    """Range to which scaled rewards were cut."""
    credit: CreditConfig
    """What it was told beyond the score, read from the screen."""
    detector: str
    """Class of the detector that found small artifacts."""
    artifact_weight: float
    """Weight of a small artifact's pixels in the reconstruction loss; others weigh 1 or less."""
    artifact_recall: float | None
    """Share of frames with an artifact in which the reconstruction kept it, at the end of the
    training; None if no artifact was seen."""

    @classmethod
    def of(cls, agent: TrainedAgent) -> Self:
        """The facts of an agent's training."""
        config, statistics = agent.config, agent.statistics
        return cls(
            algorithm=config.algorithm,
            seed=config.seed,
            steps=statistics.steps,
            seconds=statistics.seconds,
            reward_scale=config.ppo.reward_scale,
            reward_clip=config.ppo.reward_clip,
            credit=config.credit,
            detector=agent.finder.name,
            artifact_weight=config.weights.artifact,
            artifact_recall=statistics.final_fidelity()["artifact_recall"],
        )


@dataclass(frozen=True)
class EvaluationFacts:
    """How a policy scored: raw scores of whole games."""

    episodes: int
    """Whole games."""
    truncated: int
    """How many of them the protocol's limit ended."""
    seed: int
    """Seed of the games."""
    mean: float
    """Mean of the scores."""
    std: float
    """Standard deviation of the scores."""
    ci95: tuple[float, float]
    """95 % interval of the mean score."""

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Self:
        """The facts of an evaluation's report.

        Raises:
            ValueError: If ``report`` is none; says why.
        """
        try:
            low, high = map(float, report["ci95"])
            if not len(report["scores"]):
                raise KeyError("scores")
            return cls(
                episodes=int(report["episodes"]),
                truncated=int(report["truncated"]),
                seed=int(report["seed"]),
                mean=float(report["mean"]),
                std=float(np.std(report["scores"])),
                ci95=(low, high),
            )
        except KeyError as error:
            raise ValueError(f"no report of an evaluation: it has no {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"no report of an evaluation: {error}") from error


@dataclass(frozen=True)
class PolicyConfig:
    """The content of ``config.json``."""

    game: Game
    """What it plays; gives the shape of an observation."""
    screen: tuple[int, int]
    """Height and width of the game's native screen."""
    num_actions: int
    """Actions between which it chooses: the game's minimal set."""
    model: ActorCriticConfig
    """Size of the network."""
    projection: Projection
    """What makes observations of screens."""
    env: EnvConfig
    """The protocol of the games."""
    training: TrainingFacts
    """How the policy was trained."""
    evaluation: EvaluationFacts | None = None
    """How it scored; None if it was not judged."""
