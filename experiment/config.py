"""What a training is configured with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from agent.actor_critic import ActorCriticConfig
from agent.credit import CreditConfig
from agent.ppo_config import PPOConfig
from encoders import ArtifactDetectorConfig, ArtifactWeightsConfig
from envs import STACK, EnvConfig
from experiment.errors import UserError
from settings import Checked, Role, Seed, Within

A2C = PPOConfig(num_steps=8, num_epochs=1, num_minibatches=1, normalize_advantages=False)
"""Defaults of the ``ppo`` group under ``--algorithm a2c``."""
ANY_GAME = ArtifactDetectorConfig(centre_height=23, centre_width=9, surround=3, max_pixels=24)
"""What counts as small in a game that has no entry: balls, shots, missiles, but no figures."""
MAX_ROLLOUT = 2**17
"""Agent steps in a rollout at most; they take 2.4 GB."""
MAX_MINIBATCH = 2**13
"""Agent steps in a minibatch at most; their observations take 1.2 GB in float32."""
Steps = Annotated[int, Within(1, 10**12)]
"""A number of agent steps."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """Train an agent that keeps small artifacts in view on Kung-Fu Master or another Atari game.

    Lengths of time are in agent steps (four emulator frames each), summed over environments.
    """

    run_dir: Annotated[Path, Role.NEUTRAL] = Path("runs/kung_fu_master")
    """Directory of the run: config, TensorBoard events, checkpoints, final evaluation. If left out,
    it has the name of the game."""
    resume: Annotated[tyro.conf.FlagCreatePairsOff[bool], Role.NEUTRAL] = False
    """Go on from the latest checkpoint in ``run_dir``, or start again if the run was ended before
    its first; other flags may then only change ``total-steps``, ``num-envs``, ``threads``,
    ``device``, ``evaluation-games``, ``ppo.max-skipped`` and the intervals."""
    seed: Seed = 1
    """Seed of everything random."""
    total_steps: Annotated[Steps, Role.EXTENDABLE] = 500_000
    """Agent steps after which training ends."""
    num_envs: Annotated[int, Within(1, 1024), Role.EXTENDABLE] = 32
    """Games played at the same time."""
    threads: Annotated[int, Within(0, 1024), Role.NEUTRAL] = 0
    """Cores that this process keeps busy; 0 for all. With 1 as many trainings as there are cores
    run beside each other without waiting for each other."""
    device: Annotated[str, Role.NEUTRAL] = "cpu"
    """Where the network runs: cpu, cuda or cuda:N."""
    algorithm: Literal["ppo", "a2c"] = "ppo"
    """PPO, or A2C: the same learner with one epoch over one minibatch of a short rollout. Sets the
    defaults of the ``ppo`` group."""
    validation_share: Annotated[float, Within(0, 0.5)] = 0.0
    """Share of the games from which the autoencoder does not learn. Curves of its error, recall and
    ghosts in them then show what it has learned by heart. Actor and critic learn from all games."""
    autoencoder_from: Path | None = None
    """Checkpoint or run of the same game whose autoencoder, with its projection, the training
    starts with. If it was trained alone, this is a pretrained encoder."""
    backbone_weights: str = ""
    """File with weights for ``model.autoencoder.encoder.backbone``: the state of one of
    torchvision's networks (.pth or .safetensors) or an ONNX graph (.onnx), or
    hf://OWNER/NAME/FILE on the Hugging Face Hub. Without it the backbone starts at random."""
    image_interval: Annotated[Steps, Role.NEUTRAL] = 25_000
    """Steps between two image grids and histograms in TensorBoard."""
    film_interval: Annotated[Steps, Role.NEUTRAL] = 100_000
    """Steps between two films of a game, and two snapshots for the projector, in TensorBoard."""
    checkpoint_interval: Annotated[Steps, Role.NEUTRAL] = 50_000
    """Steps between two checkpoints."""
    evaluation_games: Annotated[int, Within(0, 10_000), Role.NEUTRAL] = 30
    """Whole games played at the end; 0 for none."""
    env: EnvConfig = field(default_factory=EnvConfig)
    model: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    credit: CreditConfig = field(default_factory=CreditConfig)
    detector: ArtifactDetectorConfig = field(default_factory=ArtifactDetectorConfig)
    weights: ArtifactWeightsConfig = field(default_factory=ArtifactWeightsConfig)

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if self.ppo.num_steps % STACK:
            raise UserError(
                f"ppo.num_steps must be a multiple of {STACK}, got {self.ppo.num_steps}"
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
        fewest = self.ppo.num_steps // STACK * self.num_envs
        if self.ppo.num_minibatches > fewest:
            raise UserError(
                f"ppo.num_minibatches must be at most {fewest} "
                f"(num_envs * ppo.num_steps / {STACK}), got {self.ppo.num_minibatches}"
            )
        if self.backbone_weights and not self.model.autoencoder.encoder.backbone:
            raise UserError(
                "backbone_weights needs model.autoencoder.encoder.backbone, "
                f"got {self.backbone_weights} without one"
            )
        if self.algorithm == "a2c" and (self.ppo.num_epochs, self.ppo.num_minibatches) != (1, 1):
            raise UserError(
                "algorithm a2c needs ppo.num_epochs 1 and ppo.num_minibatches 1, "
                f"got {self.ppo.num_epochs} and {self.ppo.num_minibatches}"
            )

    def game_seed(self, updates: int, rank: int = 0) -> int:
        """Seed of the games that a rank of a run begins after so many updates.

        Each resumption plays games that the run has not seen, and no two seeds share a game.
        """
        entropy = (self.seed, updates, rank) if rank else (self.seed, updates)
        return int(np.random.SeedSequence(entropy).generate_state(1)[0] >> 2)

    def check_ranks(self, size: int) -> None:
        """Raise UserError unless ``size`` ranks can share the games and their steps."""
        if self.num_envs % size:
            raise UserError(f"num_envs must be a multiple of the {size} ranks, got {self.num_envs}")
        fewest = self.ppo.num_steps // STACK * self.num_envs // size
        if self.ppo.num_minibatches > fewest:
            raise UserError(
                f"ppo.num_minibatches must be at most {fewest} (num_envs * ppo.num_steps / {STACK} "
                f"/ {size} ranks), got {self.ppo.num_minibatches}"
            )
