"""A policy to export, and real observations for it."""

from functools import cache

import numpy as np
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from encoders import AutoencoderConfig, EncoderConfig
from envs import GAME, EnvConfig, Projection, SingleEnv
from envs.kung_fu_master.ram import KNIFE_COLOUR, SKY_COLOUR
from interop.policy import ExportedPolicy
from interop.policy_config import EvaluationFacts, PolicyConfig, TrainingFacts

PROJECTION = Projection((SKY_COLOUR, (180, 122, 48)), (KNIFE_COLOUR,))
ENV = EnvConfig(max_episode_frames=400)
EVALUATION = EvaluationFacts(
    episodes=30, truncated=2, seed=7, mean=32357.0, std=8901.25, ci95=(29343.0, 35490.0)
)


def exported_policy(evaluation: EvaluationFacts | None = EVALUATION) -> ExportedPolicy:
    """A small network that has seen frames, and whose actor is not indifferent."""
    torch.manual_seed(0)
    autoencoder = AutoencoderConfig(encoder=EncoderConfig(channels=(4, 8)), bfloat16=False)
    policy = ExportedPolicy(
        PolicyConfig(
            GAME,
            GAME.screen,
            GAME.num_actions,
            ActorCriticConfig(autoencoder, branch_units=16),
            PROJECTION,
            ENV,
            TrainingFacts(
                "ppo", 3, 1_500_000, 527.4, 0.01, (-1.0, 10.0), "ArtifactDetector", 20.0, 0.9375
            ),
            evaluation,
        )
    )
    fit(policy.network)
    return policy.eval()


def fit(network: ActorCritic) -> None:
    """Normalisation of real frames, probabilities far from equal, drawings of strong contrast."""
    network.autoencoder.fit_normalizer(real_observations(40)[:, -1])
    with torch.no_grad():
        network.actor[-1].weight.mul_(1000)
        for parameter in network.autoencoder.decoder.layers[-1].parameters():
            parameter.mul_(10)


@cache
def real_observations(count: int) -> torch.Tensor:
    """(count, 4, 64, 144) uint8 of a random game: every eighth, with fights from the twelfth on."""
    env, rng = SingleEnv(PROJECTION), np.random.default_rng(0)
    env.reset(seed=0)
    steps = [env.step(rng.integers(GAME.num_actions))[0] for _ in range(8 * count)]
    return torch.from_numpy(np.stack(steps[::8]))
