"""Games that are held out: who learns from them, and what is said of them."""

import numpy as np
import torch

from agent.credit import CreditConfig
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from encoders import ArtifactDetectorConfig, ArtifactWeightsConfig, make_finder
from monitoring.validation import RECENT, Overfitting, validation_metrics
from tests.agent.dummy import put_regions
from tests.agent.learning import (
    ENVS,
    STEPS,
    batches_of,
    make_model,
    make_rollout,
    moved,
    snapshot,
    update,
)


def test_the_autoencoder_learns_from_no_observation_that_is_held_out():
    model = make_model()
    rollout = make_rollout(model)
    rollout.held_out[:, ::2] = True
    rollout.frames[:, :, 0, 0] = torch.arange(ENVS, dtype=torch.uint8)  # whose game it is
    config = PPOConfig(num_steps=STEPS, num_minibatches=2)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    drawn, seen = set(), set()
    for batch in batches_of(ppo, rollout):
        drawn |= set(batch.obs[: len(batch.regions), 0, 0, 0].tolist())
        seen |= set(batch.obs[:, 0, 0, 0].tolist())
    assert drawn == {1, 3, 5}
    assert seen == set(range(ENVS))


def test_with_everything_held_out_the_decoder_does_not_move():
    model = make_model()
    rollout = make_rollout(model)
    rollout.held_out[:] = True
    decoder, actor = snapshot(model.autoencoder.decoder), snapshot(model.actor)
    metrics = update(model, rollout)
    assert metrics["gradients/skipped"] == 0
    assert not moved(model.autoencoder.decoder, decoder)
    assert moved(model.actor, actor)


def test_a_sample_of_what_is_held_out_has_nothing_else():
    rollout = make_rollout(make_model())
    rollout.held_out[:, 2] = True
    rollout.frames[:, :, 0, 0] = torch.arange(ENVS, dtype=torch.uint8)
    for held_out, games in ((True, {2}), (False, {0, 1, 3, 4, 5})):
        obs, _ = rollout.fidelity_sample(held_out=held_out)
        assert set(obs[:, 0, 0, 0].tolist()) == games
        obs = rollout.observations(rollout.sample(1000, held_out=held_out))
        assert set(obs[:, 0, 0, 0].tolist()) == games


def test_metrics_compare_the_two_kinds():
    model = make_model()
    rollout = make_rollout(model)
    put_regions(rollout, np.s_[:], 0)
    finder = make_finder(ArtifactDetectorConfig())
    weights = ArtifactWeightsConfig()
    assert validation_metrics(model.autoencoder, finder, rollout, weights) == {}
    rollout.held_out[:, 0] = True
    even = validation_metrics(model.autoencoder, finder, rollout, weights)
    rollout.frames[:, 0] = torch.randint(0, 2, rollout.frames[:, 0].shape) * 255
    found = validation_metrics(model.autoencoder, finder, rollout, weights)
    assert found["validation/gap"] > 1.5 * even["validation/gap"]
    assert found["validation/reconstruction"] > 1.5 * even["validation/reconstruction"]


def test_a_warning_comes_once_and_only_for_a_lasting_gap():
    calm = Overfitting()
    assert not any(calm.watch(gap) for gap in [9.0] + [1.0] * 40 + [None])
    alarmed = Overfitting()
    told = [alarmed.watch(1.5) for _ in range(2 * RECENT)]
    assert told.index(next(filter(None, told))) == RECENT - 1
    assert sum(bool(one) for one in told) == 1
    assert "1.50 times" in "".join(told)
