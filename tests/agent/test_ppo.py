"""Learning: who moves, who does not, and that it goes in the right direction."""

import math

import numpy as np
import pytest
import torch

from agent import ppo as ppo_module
from agent.credit import CreditConfig
from agent.gradients import GradientsConfig
from agent.ppo import PPO, NonFiniteLossError
from agent.ppo_config import PPOConfig
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, PerturbationConfig
from tests.agent.dummy import OBS_SHAPE, put_regions
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

SEPARATE = GradientsConfig(policy=("actor",), entropy=("actor",), value=("critic",))
"""The autoencoder's loss alone trains the encoder."""


def test_the_rewarded_action_becomes_likely():
    model = make_model()
    ppo = PPO(
        model,
        PPOConfig(num_steps=STEPS, num_minibatches=2),
        ArtifactWeightsConfig(),
        CreditConfig(),
    )
    for _ in range(30):
        ppo.update(make_rollout(model, rewarded=1), steps=0, progress=0.0)
    rollout = make_rollout(model)
    probs = model(rollout.observations(torch.arange(rollout.size))).policy.probs.mean(dim=0)
    assert probs[1] > 0.8


def test_the_reconstruction_is_learned():
    model = make_model()
    rollout = make_rollout(model)
    rollout.frames[:] = torch.randint(0, 256, (1, 1, *OBS_SHAPE[1:]), dtype=torch.uint8)
    rollout.frames[:, ::2] = 0  # two pictures in turn
    first = update(model, rollout)["loss/reconstruction"]
    for _ in range(30):
        last = update(model, rollout, learning_rate=3e-3)["loss/reconstruction"]
    assert last < 0.3 * first


def test_joint_gradients_train_the_encoder_and_reconstruction_gradients_alone_do_not_mix():
    # Without a reconstruction loss, only "joint" lets actor and critic change the encoder.
    for gradients, expected in ((GradientsConfig(), True), (SEPARATE, False)):
        model = make_model(gradients=gradients)
        encoder, actor = snapshot(model.autoencoder.encoder), snapshot(model.actor)
        update(model, make_rollout(model), reconstruction_coef=0.0)
        assert moved(model.autoencoder.encoder, encoder) == expected
        assert moved(model.actor, actor)


def test_the_autoencoder_comes_first_when_asked():
    settings = {"autoencoder_steps": 100}
    model = make_model(gradients=SEPARATE)
    before = {name: snapshot(child) for name, child in model.autoencoder.named_children()}
    before |= {name: snapshot(child) for name, child in model.named_children()}
    update(model, make_rollout(model), steps=99, **settings)
    assert moved(model.autoencoder.encoder, before["encoder"])
    assert moved(model.autoencoder.decoder, before["decoder"])
    assert not moved(model.actor, before["actor"])
    assert not moved(model.critic, before["critic"])
    update(model, make_rollout(model), steps=100, **settings)
    assert moved(model.actor, before["actor"])
    assert moved(model.critic, before["critic"])


@pytest.mark.parametrize("clean", [True, False])
def test_a_perturbed_picture_trains_the_autoencoder_and_not_the_policy(clean: bool, monkeypatch):
    seen: list[torch.Tensor] = []

    def perturbed(obs, regions, config):
        assert config.noise == 9.0
        target = obs if config.clean_target else torch.zeros_like(obs)
        seen.append(target)
        return torch.full_like(obs, 7), target, regions

    monkeypatch.setattr(ppo_module, "perturb", perturbed)
    model = make_model()
    shown: list[torch.Tensor] = []
    encode = type(model.autoencoder).encode
    monkeypatch.setattr(
        type(model.autoencoder),
        "encode",
        lambda self, obs, *rest: shown.append(obs) or encode(self, obs, *rest),
    )
    targets: list[torch.Tensor] = []
    loss = type(model.autoencoder).loss
    monkeypatch.setattr(
        type(model.autoencoder),
        "loss",
        lambda self, latent, obs, *rest: targets.append(obs) or loss(self, latent, obs, *rest),
    )
    rollout = make_rollout(model)
    shown.clear()
    noise = PerturbationConfig(noise=9.0, clean_target=clean)
    update(model, rollout, num_minibatches=1, perturbation=noise)
    policy, drawn = shown
    assert policy.float().std() > 50  # the policy saw what it acted on
    assert (drawn == 7).all()
    assert len(drawn) == len(seen[0]) <= len(policy)
    assert torch.equal(targets[0], seen[0])


def test_a2c_is_one_step_with_a_ratio_of_one():
    # One epoch over one minibatch: nothing is clipped, and the clip's width does not matter.
    results = []
    for clip in (1e-6, 0.5):
        model = make_model()
        rollout = make_rollout(model)
        torch.manual_seed(1)
        metrics = update(model, rollout, num_epochs=1, num_minibatches=1, clip=clip)
        assert metrics["policy/kl"] == pytest.approx(0.0, abs=1e-6)
        results.append(snapshot(model))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_every_frame_is_reconstructed_once_and_every_step_learned_once_an_epoch():
    model = make_model()
    rollout = make_rollout(model)
    put_regions(rollout, np.s_[:], 0)
    # Number the frames of each environment through: row r holds r in its first pixel.
    rows = torch.arange(STEPS + 4, dtype=torch.uint8)[:, None].expand(-1, ENVS)
    rollout.frames[:, :, 0, 0] = rows
    rollout.frames[:, :, 0, 1] = torch.arange(ENVS, dtype=torch.uint8)
    config = PPOConfig(num_steps=STEPS, num_epochs=1, num_minibatches=3)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    seen, reconstructed = [], []
    for batch in batches_of(ppo, rollout):
        newest = batch.obs[:, -1, 0, :2].tolist()
        seen += [tuple(pair) for pair in newest]
        first = batch.obs[: len(batch.regions), :, 0, :2].flatten(0, 1).tolist()
        reconstructed += [tuple(pair) for pair in first]
    assert sorted(seen) == sorted((r, n) for r in range(3, STEPS + 3) for n in range(ENVS))
    # Rows 3 to 10 are this rollout's; rows 0 to 2, the past, come along in the first stack.
    assert len(reconstructed) == len(set(reconstructed)) == STEPS * ENVS
    assert {row for row, _ in reconstructed} == set(range(3, STEPS + 3))


def test_gauges_and_observations_of_a_minibatch_belong_together():
    rollout = Rollout(STEPS, ENVS, OBS_SHAPE, torch.device("cpu"), num_gauges=2)
    rollout.ages[:] = 3
    steps, games = torch.meshgrid(torch.arange(STEPS), torch.arange(ENVS), indexing="ij")
    rollout.gauges[:] = torch.stack([steps, games], dim=2).float()
    rollout.frames[3:-1, :, 0, 0] = steps.to(torch.uint8)
    rollout.frames[3:-1, :, 0, 1] = games.to(torch.uint8)
    config = PPOConfig(num_steps=STEPS, num_minibatches=3)
    ppo = PPO(make_model(), config, ArtifactWeightsConfig(), CreditConfig())
    batches = list(batches_of(ppo, rollout))
    assert sum(len(batch.obs) for batch in batches) == STEPS * ENVS
    for batch in batches:
        assert torch.equal(batch.obs[:, -1, 0, :2].float(), batch.gauges)


def test_every_observation_that_shows_an_artifact_is_reconstructed():
    model = make_model()
    rollout = make_rollout(model)
    put_regions(rollout, np.s_[:], 0)
    put_regions(rollout, np.s_[5, 2], 1)  # newest at step 2, and in the stacks of the next three
    rollout.frames[:, :, 0, 0] = torch.arange(STEPS + 4, dtype=torch.uint8)[:, None]
    rollout.frames[:, :, 0, 1] = torch.arange(ENVS, dtype=torch.uint8)
    config = PPOConfig(num_steps=STEPS, num_epochs=1, num_minibatches=3)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    reconstructed = [
        tuple(pair)
        for batch in batches_of(ppo, rollout)
        for pair in batch.obs[: len(batch.regions), -1, 0, :2].tolist()
    ]
    every_frame = {(row, n) for row in (6, 10) for n in range(ENVS)}
    expected = every_frame | {(row, 2) for row in (5, 6, 7, 8)}
    assert sorted(reconstructed) == sorted(expected)


def test_an_artifact_of_the_last_episode_is_not_shown_in_the_next():
    rollout = make_rollout(make_model())
    put_regions(rollout, np.s_[:], 0)
    put_regions(rollout, np.s_[3 + 2, 1], 1)  # newest at step 2, after which the episode ends
    rollout.ages[3:, 1] = torch.tensor([0, 1, 2, 3, 3, 3])
    shown = rollout.any_artifact.reshape(STEPS, ENVS)
    assert shown.nonzero().tolist() == [[2, 1]]


def test_a_minibatch_whose_loss_is_not_finite_is_skipped_and_counted():
    # Without normalised advantages one bad value spoils one of the minibatches alone.
    model = make_model()
    rollout = make_rollout(model)
    rollout.values[0, 0] = math.nan
    settings = {"num_minibatches": 6, "normalize_advantages": False}
    metrics = update(model, rollout, **settings)
    assert metrics["gradients/skipped"] == 1
    assert all(map(math.isfinite, [metrics["loss/policy"], metrics["gradients/norm"]]))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_so_many_in_a_row_end_the_training_and_change_nothing():
    # Normalised over the rollout, one bad value spoils all minibatches: 2 in each update.
    model = make_model()
    bad, good = make_rollout(model), make_rollout(model)
    bad.values[0, 0] = math.nan
    config = PPOConfig(num_steps=STEPS, num_minibatches=2, max_skipped=5)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    before = snapshot(model)
    for _ in range(2):
        metrics = ppo.update(bad, steps=0, progress=0.0)
        assert metrics["gradients/skipped"] == 2
        assert "loss/policy" not in metrics
    assert not moved(model, before)
    ppo.update(good, steps=0, progress=0.0)  # the row is broken
    before = snapshot(model)
    ppo.update(bad, steps=0, progress=0.0)
    ppo.update(bad, steps=0, progress=0.0)
    with pytest.raises(NonFiniteLossError, match=r"5 minibatches in a row .* loss nan"):
        ppo.update(bad, steps=0, progress=0.0)
    assert not moved(model, before)


def fit_returns(model, returns: torch.Tensor) -> None:
    model.returns.fit(returns.mean(), returns.square().mean())


def test_one_update_by_arithmetic():
    # One minibatch of fresh data, every step a game of its own: returns are the scaled rewards,
    # advantages what the critic missed, the ratio is 1.
    model = make_model()
    rollout = make_rollout(model)
    put_regions(rollout, np.s_[:, 1:], 0)  # artifacts in the first environment only
    fit_returns(model, 0.01 * rollout.rewards)  # as the update will find it: it learns no more
    std = model.returns.std
    with torch.no_grad():
        prediction = model(rollout.observations(torch.arange(rollout.size)))
        values, returns = prediction.value, 0.01 * rollout.rewards.flatten()
        expected = {
            "loss/policy": -(returns - values).mean(),
            "loss/value": torch.nn.functional.huber_loss(values / std, returns / std),
            "loss/entropy": -prediction.policy.entropy().mean(),
        }
        indices = torch.arange(rollout.size).reshape(STEPS, ENVS)
        stacks = torch.cat([indices[:, 0], indices[3::4, 1:].flatten()])
        obs = rollout.observations(stacks)
        error = model.autoencoder.decode(model(obs).latent) - model.autoencoder.normalizer(obs)
        weights = 1.0 + 19.0 * rollout.observation_regions(stacks)  # twenty times
        weights[STEPS:] = 0.5
        weights[:, -1] *= 3.0
        expected["loss/reconstruction"] = (weights * error.square()).sum() / weights.sum()
    parts = {"actor": 1e-4, "critic": 1e-4}
    parts |= {"autoencoder.encoder": 5e-4, "autoencoder.decoder": 5e-4}
    before = {name: snapshot(model.get_submodule(name)) for name in parts}
    settings = {"num_epochs": 1, "num_minibatches": 1, "normalize_advantages": False}
    metrics = update(model, rollout, learning_rate=1e-4, autoencoder_lr_factor=5.0, **settings)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value.item(), rel=1e-4, abs=1e-6), name
    # Adam's first step moves every parameter by the step size, or less where the gradient is tiny.
    for name, rate in parts.items():
        pairs = zip(model.get_submodule(name).parameters(), before[name], strict=True)
        assert max((new - old).abs().max().item() for new, old in pairs) == pytest.approx(
            rate, 0.01
        )


def test_advantages_are_normalised_over_the_whole_rollout():
    # Without discount and critic an advantage is the reward: 1 in a quarter of the steps.
    model = make_model()
    rollout = make_rollout(model)
    rollout.values.zero_()
    rollout.rewards.zero_().flatten()[::4] = 100.0
    config = PPOConfig(num_steps=STEPS, num_minibatches=4)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    seen = []

    def spy(batch):
        seen.append(batch.advantages)
        return PPO._losses(ppo, batch)

    ppo._losses = spy  # type: ignore[method-assign]
    ppo.update(rollout, steps=0, progress=0.0)
    advantages = torch.cat(seen)
    assert advantages.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert advantages.std().item() == pytest.approx(1.0, rel=1e-4)
    assert sorted({round(value, 4) for value in advantages.tolist()}) == pytest.approx(
        [-0.5713, 1.7139], abs=1e-3
    )


def test_the_step_size_of_the_schedule_reaches_the_parameters():
    config = PPOConfig(num_steps=STEPS, num_minibatches=1, num_epochs=1, final_learning_rate=0.0)
    for progress, expected in ((1.0, False), (0.5, True)):
        model = make_model()
        before = snapshot(model.actor)
        ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
        ppo.update(make_rollout(model), steps=0, progress=progress)
        assert moved(model.actor, before) == expected


def test_the_entropy_bonus_makes_a_policy_less_certain():
    model = make_model()
    torch.nn.init.constant_(model.actor.last.bias[:1], 2.0)
    alone = {"reconstruction_coef": 0.0, "value_coef": 0.0, "reward_scale": 1e-9}
    entropies = []
    for _ in range(10):
        rollout = make_rollout(model)
        rollout.values.zero_()
        settings = {"entropy_coef": 1.0, "learning_rate": 1e-2, "normalize_advantages": False}
        entropies.append(update(model, rollout, **alone, **settings)["policy/entropy"])
    assert entropies[-1] > entropies[0] + 0.1


def test_gradients_are_scaled_down_to_the_limit():
    # Adam does not care for the scale of a gradient, unless it is as small as its epsilon.
    model = make_model()
    rollout = make_rollout(model)
    fit_returns(model, 0.01 * rollout.rewards)
    before = snapshot(model)
    update(model, rollout, max_grad_norm=1e-9, learning_rate=1e-3, num_epochs=1)
    steps = [(a - b).abs().max() for a, b in zip(model.parameters(), before, strict=True)]
    assert max(steps) < 1e-6


def test_normalisation_is_fitted_at_the_start_then_frozen():
    model = make_model()
    update(model, make_rollout(model), steps=99, normalizer_steps=100)
    assert model.autoencoder.normalizer.count == STEPS * ENVS // 4
    update(model, make_rollout(model), steps=100, normalizer_steps=100)
    assert model.autoencoder.normalizer.count == STEPS * ENVS // 4


@pytest.mark.parametrize("artifacts", [0, 1, STEPS * ENVS])
def test_any_number_of_minibatches_up_to_the_fewest_reconstructed_samples_works(artifacts: int):
    rollout = make_rollout(make_model())
    put_regions(rollout, np.s_[:], 0)
    regions = torch.zeros_like(rollout.regions)
    regions[4 : 4 + STEPS].flatten(0, 1)[:artifacts] = 1
    put_regions(rollout, np.s_[:], regions)
    for count in (1, 5, 7, STEPS // 4 * ENVS):
        update(make_model(), rollout, num_minibatches=count)


def test_the_learning_rate_falls_linearly():
    config = PPOConfig(learning_rate=1e-3, final_learning_rate=1e-4)
    rates = [config.learning_rate_at(progress) for progress in (0.0, 0.5, 1.0, 1.5)]
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4, 1e-4])


def test_rewards_are_scaled_and_clipped_for_learning_only():
    model = make_model()
    rollout = make_rollout(model)
    raw = rollout.rewards.clone()
    means = {}
    for scale, high in ((0.01, 10.0), (0.02, 10.0), (0.02, 1.0)):
        model = make_model()
        update(model, rollout, reward_scale=scale, reward_clip=(-1.0, high))
        means[scale, high] = model.returns.mean.item()
    assert torch.equal(rollout.rewards, raw)
    assert means[0.02, 10.0] == pytest.approx(2 * means[0.01, 10.0])  # targets of 2 instead of 1
    assert means[0.02, 1.0] == pytest.approx(means[0.01, 10.0])  # cut back to 1


@pytest.mark.parametrize(("progress", "damage"), [(1.0, -1), (0.15, -0.5)])
def test_credit_is_added_to_what_learning_sees(progress: float, damage: float):
    model = make_model()
    rollout = make_rollout(model)
    rollout.rewards.zero_()
    rollout.changes[:] = torch.tensor([0.5, 0.25, 0.125])
    config = PPOConfig(num_steps=STEPS, num_minibatches=2)
    credit = CreditConfig(2.0, 8.0, 24.0, damage_warm_up=0.3)
    PPO(model, config, ArtifactWeightsConfig(), credit).update(rollout, steps=0, progress=progress)
    assert model.returns.mean.item() == pytest.approx(damage + 2 + 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_steps", 0),
        ("num_epochs", -1),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("clip", math.inf),
        ("autoencoder_lr_factor", 0.0),
        ("gamma", 1.01),
        ("entropy_coef", -0.1),
        ("autoencoder_steps", -1),
        ("reward_clip", (1.0, 1.0)),
    ],
)
def test_impossible_settings_are_named(field: str, value: object):
    with pytest.raises(ValueError, match=field):
        PPOConfig(**{field: value})  # type: ignore[arg-type]
