"""Small models, rollouts and updates, for tests of learning."""

from collections.abc import Iterator

import numpy as np
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from agent.minibatches import Minibatch, minibatches
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, AutoencoderConfig, EncoderConfig, LocatorConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, put_regions

STEPS, ENVS = 8, 6


def make_model(**settings) -> ActorCritic:
    torch.manual_seed(0)
    encoder = EncoderConfig(channels=(4, 8))
    config = AutoencoderConfig(encoder, bfloat16=False, locator=LocatorConfig(count=0))
    config = ActorCriticConfig(config, **settings)
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)


def make_rollout(model: ActorCritic, rewarded: int = 1, stages: int = 0) -> Rollout:
    """Random images, actions of the model, and a reward of 100 for one of the actions.

    Its gauges tell of ``stages``, on which the steps are in turn.
    """
    rollout = Rollout(STEPS, ENVS, OBS_SHAPE, torch.device("cpu"), stages)
    if stages:
        steps = torch.arange(rollout.size).view(STEPS, ENVS)
        rollout.gauges[:] = torch.eye(stages)[steps % stages]
    rollout.frames.random_(0, 256)
    put_regions(rollout, np.s_[:, :, 3:5, 3:8], 1)
    rollout.ages[:] = 3
    with torch.no_grad():
        indices = torch.arange(rollout.size)
        prediction = model(rollout.observations(indices), rollout.observation_gauges(indices))
    actions = prediction.policy.sample()
    rollout.actions[:] = actions.reshape(STEPS, ENVS)
    rollout.log_probs[:] = prediction.policy.log_prob(actions).reshape(STEPS, ENVS)
    rollout.values[:] = prediction.value.reshape(STEPS, ENVS)
    rollout.rewards[:] = 100.0 * (rollout.actions == rewarded)
    rollout.terminated[:] = True  # every step is a game of its own
    return rollout


def with_tracks(model: ActorCritic, stages: int = 0) -> Rollout:
    """The same, with what a model with tracks finds in the images."""
    rollout = make_rollout(model, stages=stages)
    obs = rollout.observations(torch.arange(rollout.size))
    tracks = model.autoencoder.track(model.autoencoder.locate(obs))
    rollout.tracks = tracks.view(STEPS, ENVS, -1)
    return rollout


def batches_of(
    ppo: PPO, rollout: Rollout, advantages: torch.Tensor | None = None
) -> Iterator[Minibatch]:
    """Minibatches as an update makes them; advantages are also the returns, and 0 if left out."""
    values = torch.zeros(rollout.num_steps, rollout.num_envs) if advantages is None else advantages
    has_tracks = ppo.model.autoencoder.locator is not None
    return minibatches(rollout, values, values, ppo.config, has_tracks=has_tracks)


def snapshot(module: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def moved(module: torch.nn.Module, before: list[torch.Tensor]) -> bool:
    pairs = zip(module.parameters(), before, strict=True)
    return any(not torch.equal(parameter, old) for parameter, old in pairs)


def update(model: ActorCritic, rollout: Rollout, steps: int = 0, **settings) -> dict[str, float]:
    config = PPOConfig(**{"num_steps": STEPS, "num_minibatches": 2} | settings)
    return PPO(model, config, ArtifactWeightsConfig(), CreditConfig()).update(
        rollout, steps, progress=0.0
    )
