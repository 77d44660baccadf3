"""A policy to export, and real observations for it."""

from functools import cache

import numpy as np
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from encoders import AutoencoderConfig, EncoderConfig, LocatorConfig
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, SingleEnv
from envs.kung_fu_master.ram import KNIFE_COLOUR, SKY_COLOUR
from interop.policy import ExportedPolicy
from interop.policy_config import EvaluationFacts, PolicyConfig, TrainingFacts

PROJECTION = Projection((SKY_COLOUR, (180, 122, 48)), (KNIFE_COLOUR,))
ENV = EnvConfig(max_episode_frames=400)
EVALUATION = EvaluationFacts(
    episodes=30, truncated=2, seed=7, mean=32357.0, std=8901.25, ci95=(29343.0, 35490.0)
)


def exported_policy(
    evaluation: EvaluationFacts | None = EVALUATION, experts: int = 1
) -> ExportedPolicy:
    """A small network that has seen frames, and whose actor is not indifferent."""
    torch.manual_seed(0)
    parts = {"encoder": EncoderConfig(channels=(4, 8)), "locator": LocatorConfig(count=3)}
    autoencoder = AutoencoderConfig(**parts, bfloat16=False)
    policy = ExportedPolicy(
        PolicyConfig(
            GAME,
            GAME.screen,
            GAME.num_actions,
            ActorCriticConfig(autoencoder, branch_units=16, experts=experts),
            PROJECTION,
            ENV,
            TrainingFacts(
                algorithm="ppo",
                seed=3,
                steps=1_500_000,
                seconds=527.4,
                reward_scale=0.01,
                reward_clip=(-1.0, 10.0),
                credit=CreditConfig(30.0, 60.0, 40.0),
                detector="ArtifactDetector",
                artifact_weight=20.0,
                artifact_recall=0.9375,
            ),
            evaluation,
        )
    )
    fit(policy.network)
    return policy.eval()


def fit(network: ActorCritic) -> None:
    """Normalisation of real frames, and outputs that differ strongly."""
    network.autoencoder.fit_normalizer(real_observations(40)[:, -1])
    with torch.no_grad():
        network.actor.last.weight.mul_(6000)
        network.returns.linear.weight.mul_(10)
        for parameter in network.autoencoder.decoder.layers[-1].parameters():
            parameter.mul_(20)


def real_observations(count: int) -> torch.Tensor:
    """(count, 4, 64, 144) uint8 of a random game: every eighth, with fights from the twelfth on."""
    return _real_steps(count)[0]


def real_gauges(count: int) -> torch.Tensor:
    """(count, G) float32 of the same steps."""
    return _real_steps(count)[1]


@cache
def _real_steps(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    env, rng = SingleEnv(PROJECTION), np.random.default_rng(0)
    env.reset(seed=0)
    steps = [env.step(rng.integers(GAME.num_actions)) for _ in range(8 * count)][::8]
    obs, gauges = ([step[0] for step in steps], [step[-1]["gauges"] for step in steps])
    return torch.from_numpy(np.stack(obs)), torch.from_numpy(np.stack(gauges))
