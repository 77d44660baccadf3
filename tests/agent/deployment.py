"""A policy to deploy, and real observations for it."""

import json
from functools import cache

import cattrs
import numpy as np
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.deployed import DeployedPolicy
from agent.deployed_config import DeployedConfig, EvaluationFacts, TrainingFacts
from encoders import EncoderConfig
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, EnvConfig, KungFuMaster, Projection
from envs.ground_truth import KNIFE_COLOUR, SKY_COLOUR

PROJECTION = Projection((SKY_COLOUR, (180, 122, 48)), (KNIFE_COLOUR,))
ENV = EnvConfig(max_episode_frames=400)
EVALUATION = EvaluationFacts(
    episodes=30, seed=7, mean=32357.0, std=8901.25, ci95=(29343.0, 35490.0)
)


def deployed_policy(evaluation: EvaluationFacts | None = EVALUATION) -> DeployedPolicy:
    """A small network that has seen frames, and whose actor is not indifferent."""
    torch.manual_seed(0)
    policy = DeployedPolicy(
        DeployedConfig(
            OBSERVATION_SHAPE,
            NUM_ACTIONS,
            ActorCriticConfig(EncoderConfig(channels=(4, 8)), branch_units=16, bfloat16=False),
            json.loads(json.dumps(cattrs.unstructure(PROJECTION))),
            cattrs.unstructure(ENV),
            TrainingFacts("ppo", 3, 1_500_000, 527.4, 0.01, (-1.0, 10.0), 20.0, 0.9375),
            evaluation,
        )
    )
    fit(policy.network)
    return policy.eval()


def fit(network: ActorCritic) -> None:
    """Normalisation of real frames, probabilities far from equal, drawings of strong contrast."""
    network.normalizer.update(real_observations(40)[:, -1])
    with torch.no_grad():
        network.actor[-1].weight.mul_(1000)
        for parameter in network.decoder.layers[-1].parameters():
            parameter.mul_(10)


@cache
def real_observations(count: int) -> torch.Tensor:
    """(count, 4, 64, 144) uint8 of a random game: every eighth, with fights from the twelfth on."""
    env, rng = KungFuMaster(PROJECTION), np.random.default_rng(0)
    env.reset(seed=0)
    steps = [env.step(rng.integers(NUM_ACTIONS))[0] for _ in range(8 * count)]
    return torch.from_numpy(np.stack(steps[::8]))
