"""Train Stable-Baselines3's PPO on what our encoder sees.

The encoder of a finished training, which does not lose thrown knives, takes the place of the
library's own convolutions; its 64 numbers go into actor and critic, two layers of 64 units each.
Run it in the repository: ``python -m examples.sb3_features --checkpoint runs/kung_fu_master``.
"""

import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from envs import KUNG_FU_MASTER as GAME
from experiment.command_line import exit_code
from experiment.trained_agent import load_agent
from interop.stable_baselines3 import encoder_policy_kwargs
from settings import Checked


@dataclass(frozen=True)
class ExampleConfig(Checked):
    """Train Stable-Baselines3's PPO on what our encoder sees."""

    checkpoint: Path
    """Checkpoint file, or a run directory: whose encoder, projection and protocol are used."""
    total_steps: int = 20_000
    """Agent steps; the library finishes the rollout of 1,024 in which they end."""
    train_encoder: bool = False
    """Let PPO change the encoder too, instead of actor and critic alone."""
    seed: int = 1
    """Seed of everything random."""


def main() -> None:
    """Train, then print the mean raw score of the last games."""
    config = tyro.cli(ExampleConfig)
    agent = load_agent(config.checkpoint)
    # The games must be played as the encoder knows them: same colours, same frames to a step.
    games = make_vec_env(
        f"envs:{GAME.env_id}",
        n_envs=8,
        seed=config.seed,
        env_kwargs={"projection": agent.projection, "config": agent.config.env},
    )
    model = PPO(
        "CnnPolicy",
        VecNormalize(games, norm_obs=False),  # rewards are hundreds of points
        n_steps=128,
        batch_size=256,
        n_epochs=4,
        ent_coef=0.01,
        policy_kwargs=encoder_policy_kwargs(agent.model, frozen=not config.train_encoder),
        seed=config.seed,
        device="cpu",
    )
    model.learn(config.total_steps)
    scores = [float(game["r"]) for game in cast(deque[dict[str, Any]], model.ep_info_buffer)]
    mean = f"mean of the last {len(scores)} games: {np.mean(scores or [0]):,.0f} points"
    print(f"{model.num_timesteps:,} steps; {mean if scores else 'no game has ended yet'}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
