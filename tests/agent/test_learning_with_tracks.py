"""Learning with artifacts that have units of their own."""

import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from encoders import (
    ArtifactWeightsConfig,
    Autoencoder,
    AutoencoderConfig,
    DecoderConfig,
    EncoderConfig,
    LocatorConfig,
)
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE
from tests.agent.learning import ENVS, STEPS, update, with_tracks


def make_model() -> ActorCritic:
    torch.manual_seed(0)
    parts = EncoderConfig(channels=(4, 8)), DecoderConfig(), False
    config = AutoencoderConfig(*parts, LocatorConfig(count=2))
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(config))


def test_with_tracks_every_frame_is_drawn_once_and_no_more_for_its_artifact():
    model = make_model()
    rollout = with_tracks(model)
    drawn = []

    def loss(latent, obs, regions, weights):
        drawn.append(obs)
        return Autoencoder.loss(model.autoencoder, latent, obs, regions, weights)

    model.autoencoder.loss = loss  # type: ignore[method-assign]
    update(model, rollout)
    frames = torch.cat(drawn).flatten(0, 1)
    assert len(frames) == STEPS * ENVS
    assert len(frames.unique(dim=0)) == STEPS * ENVS


def test_the_tracks_that_the_policy_saw_are_those_that_it_learns_on():
    model = make_model()
    rollout = with_tracks(model)
    rollout.tracks = torch.rand_like(rollout.tracks)
    with torch.no_grad():
        model.actor.last.weight.mul_(1000)  # so that the policy depends on what it sees
        obs = rollout.observations(torch.arange(rollout.size))
        policy = model(obs, tracks=rollout.tracks.flatten(0, 1)).policy
    rollout.log_probs[:] = policy.log_prob(rollout.actions.flatten()).view(STEPS, ENVS)
    metrics = update(model, rollout, num_minibatches=1)
    assert metrics["policy/kl"] == pytest.approx(0.0, abs=1e-6)


def test_what_finds_artifacts_is_not_slowed_down_by_the_gradients_of_others():
    # Plain descent instead of Adam, whose steps do not depend on the scale of a gradient.
    steps: list[torch.Tensor] = []
    for limit in (1e-6, 1e6):
        model = make_model()
        rollout = with_tracks(model)
        apart = model.parameter_groups()["artifacts"]
        others = [*model.actor.parameters()]
        before = [one.detach().clone() for one in (*apart, *others)]
        config = PPOConfig(num_steps=STEPS, num_minibatches=1, max_grad_norm=limit)
        ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
        ppo.optimizer = torch.optim.SGD(ppo.optimizer.param_groups, fused=True)
        ppo.update(rollout, steps=0, progress=0.0)
        moves = [(a - b).abs().max() for a, b in zip((*apart, *others), before, strict=True)]
        steps += [torch.stack(moves[: len(apart)]), torch.stack(moves[len(apart) :])]
    torch.testing.assert_close(steps[0], steps[2])
    assert steps[1].max() < 0.01 * steps[3].max()
