"""What a training is configured with, and how the command line becomes that."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import cattrs
import tyro

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.checkpoint import Checkpoint
from agent.counters import Counters
from agent.errors import UserError
from agent.ppo import PPO, PPOConfig
from encoders import ArtifactDetectorConfig, ArtifactWeightsConfig
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, EnvConfig, Projection

A2C = PPOConfig(num_steps=8, num_epochs=1, num_minibatches=1, normalize_advantages=False)
"""Defaults of the ``ppo`` group under ``--algorithm a2c``."""
CHANGEABLE = {
    "resume", "run_dir", "total_steps", "num_envs", "device",
    "image_interval", "film_interval", "checkpoint_interval", "evaluation_games",
    "ppo.max_skipped",
}  # fmt: skip
"""Fields that may differ between a run and its resumption."""
MAX_ROLLOUT = 2**17
"""Agent steps in a rollout at most; they take 2.4 GB."""
MAX_MINIBATCH = 2**13
"""Agent steps in a minibatch at most; their observations take 1.2 GB in float32."""


@dataclass(frozen=True)
class TrainConfig:
    """Train a knife-aware agent on Kung-Fu Master.

    Lengths of time are in agent steps (four emulator frames each), summed over environments.
    """

    run_dir: Path = Path("runs/kung_fu_master")
    """Directory of the run: config, TensorBoard events, checkpoints, final evaluation."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on from the latest checkpoint in ``run_dir``; other flags may then only change
    ``total-steps``, ``num-envs``, ``device``, ``evaluation-games``, ``ppo.max-skipped`` and the
    intervals."""
    seed: int = 1
    """Seed of everything random."""
    total_steps: int = 500_000
    """Agent steps after which training ends."""
    num_envs: int = 32
    """Games played at the same time."""
    device: str = "cpu"
    """Where the network runs: cpu, cuda or cuda:N."""
    algorithm: Literal["ppo", "a2c"] = "ppo"
    """PPO, or A2C: the same learner with one epoch over one minibatch of a short rollout. Sets the
    defaults of the ``ppo`` group."""
    image_interval: int = 25_000
    """Steps between two image grids and histograms in TensorBoard."""
    film_interval: int = 100_000
    """Steps between two films of a game, and two snapshots for the projector, in TensorBoard."""
    checkpoint_interval: int = 50_000
    """Steps between two checkpoints."""
    evaluation_games: int = 30
    """Whole games played at the end; 0 for none."""
    env: EnvConfig = field(default_factory=EnvConfig)
    model: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    detector: ArtifactDetectorConfig = field(default_factory=ArtifactDetectorConfig)
    weights: ArtifactWeightsConfig = field(default_factory=ArtifactWeightsConfig)

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if "\0" in str(self.run_dir):
            raise UserError(f"run_dir must not have a null byte, got {str(self.run_dir)!r}")
        for name, highest in (
            ("total_steps", 10**12),
            ("num_envs", 1024),
            ("image_interval", 10**12),
            ("film_interval", 10**12),
            ("checkpoint_interval", 10**12),
        ):
            if not 1 <= getattr(self, name) <= highest:
                raise UserError(f"{name} must be from 1 to {highest}, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be from 0 to 2**32 - 1, got {self.seed}")
        if not 0 <= self.evaluation_games <= 10_000:
            raise UserError(
                f"evaluation_games must be from 0 to 10000, got {self.evaluation_games}"
            )
        if self.ppo.num_steps % OBSERVATION_SHAPE[0]:
            raise UserError(
                f"ppo.num_steps must be a multiple of {OBSERVATION_SHAPE[0]}, "
                f"got {self.ppo.num_steps}"
            )
        if self.num_envs * self.ppo.num_steps > MAX_ROLLOUT:
            raise UserError(
                f"num_envs * ppo.num_steps must be at most {MAX_ROLLOUT}, "
                f"got {self.num_envs} * {self.ppo.num_steps}"
            )
        if self.num_envs * self.ppo.num_steps > MAX_MINIBATCH * self.ppo.num_minibatches:
            raise UserError(
                f"num_envs * ppo.num_steps / ppo.num_minibatches must be at most {MAX_MINIBATCH}, "
                f"got {self.num_envs} * {self.ppo.num_steps} / {self.ppo.num_minibatches}"
            )
        fewest = self.ppo.num_steps // OBSERVATION_SHAPE[0] * self.num_envs
        if self.ppo.num_minibatches > fewest:
            raise UserError(
                f"ppo.num_minibatches must be at most {fewest} "
                f"(num_envs * ppo.num_steps / 4), got {self.ppo.num_minibatches}"
            )
        if self.algorithm == "a2c" and (self.ppo.num_epochs, self.ppo.num_minibatches) != (1, 1):
            raise UserError(
                "algorithm a2c needs ppo.num_epochs 1 and ppo.num_minibatches 1, "
                f"got {self.ppo.num_epochs} and {self.ppo.num_minibatches}"
            )


def parse(argv: Sequence[str]) -> tuple[TrainConfig, Checkpoint | None]:
    """Command line to config; with ``--resume`` the checkpoint's config gives the defaults.

    Raises:
        UserError: If there is nothing to resume, or a flag would change what was trained.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--run-dir", "--run_dir", type=Path, default=TrainConfig.run_dir)
    early.add_argument("--resume", action="store_true")
    early.add_argument("--algorithm", default="ppo")
    try:
        chosen, _ = early.parse_known_args(argv)
    except argparse.ArgumentError:  # a flag without its value, which tyro will name
        chosen = early.parse_args([])
    if not chosen.resume:
        a2c = TrainConfig(ppo=A2C, algorithm="a2c")
        default = a2c if chosen.algorithm == "a2c" else TrainConfig()
        return tyro.cli(TrainConfig, default=default, args=argv), None
    resumed = checkpoints.load(chosen.run_dir, check_resumable)
    saved = resumed.read(TrainConfig, "config")
    config = tyro.cli(
        TrainConfig, default=replace(saved, run_dir=chosen.run_dir, resume=False), args=argv
    )
    for (name, new), old in zip(flat(config).items(), flat(saved).values(), strict=True):
        if new != old and name not in CHANGEABLE:
            raise UserError(f"{name} cannot change on resume: the run has {old}, got {new}")
    return config, resumed


def check_resumable(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError unless a training can go on from ``checkpoint``."""
    config = checkpoint.read(TrainConfig, "config")
    checkpoint.read(Counters, "counters")
    checkpoint.read(Projection, "projection")
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, config.model)
    checkpoints.restore_model(checkpoint, model)
    ppo = PPO(model, config.ppo, config.weights)
    checkpoints.restore_optimizer(checkpoint, ppo.optimizer)


def flat(config: TrainConfig) -> dict[str, Any]:
    """Every field by its dotted name, as JSON knows it."""

    def walk(fields: dict[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, dict):
                found |= walk(cast(dict[str, Any], value), f"{prefix}{name}.")
            else:
                found[prefix + name] = value
        return found

    return walk(cattrs.unstructure(config), "")
