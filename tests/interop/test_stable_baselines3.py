"""Stable-Baselines3 behind our encoder, on the real game."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agent.actor_critic import ActorCritic
from envs import KUNG_FU_MASTER as GAME
from interop.stable_baselines3 import EncoderFeatures, encoder_policy_kwargs
from tests.interop.exported import ENV, PROJECTION, exported_policy, real_observations


@pytest.fixture
def model() -> ActorCritic:
    return exported_policy().network


def make_game() -> gym.Env:
    return gym.make(f"envs:{GAME.env_id}", projection=PROJECTION, config=ENV)


def make_ppo(**policy_kwargs) -> PPO:
    return PPO(
        "CnnPolicy", make_game(), n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu",
        policy_kwargs=policy_kwargs,
    )  # fmt: skip


def make_features(model: ActorCritic, *, frozen: bool = True) -> EncoderFeatures:
    return EncoderFeatures(gym.spaces.Box(0, 255, GAME.obs_shape, np.uint8), model, frozen)


def autoencoder_of(model: ActorCritic | EncoderFeatures) -> dict[str, torch.Tensor]:
    """Weights and normalisation, copied."""
    return {name: value.clone() for name, value in model.autoencoder.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    assert len(one) > 0
    return all(torch.equal(one[name], other[name]) for name in one)


def test_features_are_the_latent(model: ActorCritic):
    obs = real_observations(40)
    features = make_features(model)
    assert features.features_dim == 64 + 15
    found = features(obs.float())
    assert found.std() > 0.1
    assert torch.equal(found, model.autoencoder.encode(obs))
    assert not found.requires_grad


def test_features_are_those_of_a_copy(model: ActorCritic):
    features, obs = make_features(model), real_observations(40)
    assert same(autoencoder_of(features), autoencoder_of(model))
    before = features(obs.float())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.autoencoder.fit_normalizer(torch.zeros_like(obs[:, 0]))
    assert torch.equal(features(obs.float()), before)


def test_a_frozen_encoder_has_nothing_to_train_and_another_only_the_encoder(model: ActorCritic):
    def trained(frozen: bool) -> set[str]:
        parameters = make_features(model, frozen=frozen).named_parameters()
        return {name for name, parameter in parameters if parameter.requires_grad}

    assert trained(frozen=True) == set()
    encoder = model.autoencoder.encoder.state_dict()
    assert trained(frozen=False) == {f"autoencoder.encoder.{name}" for name in encoder}
    # Whose encoder was copied goes on training.
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_library_sees_the_latent_and_transposes_nothing(model: ActorCritic):
    ppo = make_ppo(**encoder_policy_kwargs(model))
    assert isinstance(ppo.env, DummyVecEnv)  # and no VecTransposeImage around it
    assert ppo.observation_space.shape == GAME.obs_shape
    obs = real_observations(40)
    found = ppo.policy.extract_features(obs)
    assert torch.equal(found, model.autoencoder.encode(obs))


def test_a_frozen_encoder_stays_as_it_is_and_actor_and_critic_learn(model: ActorCritic):
    before = autoencoder_of(model)
    ppo = make_ppo(**encoder_policy_kwargs(model))
    # The library initialises all layers of a policy anew, but not these.
    assert same(autoencoder_of(ppo.policy.features_extractor), before)
    actor = ppo.policy.action_net.weight.clone()
    ppo.learn(256)
    assert same(autoencoder_of(ppo.policy.features_extractor), before)
    assert not torch.equal(ppo.policy.action_net.weight, actor)


def test_an_encoder_that_is_not_frozen_learns_and_the_original_does_not(model: ActorCritic):
    before = autoencoder_of(model)
    ppo = make_ppo(**encoder_policy_kwargs(model, frozen=False))
    assert same(autoencoder_of(ppo.policy.features_extractor), before)
    ppo.learn(256)
    after = autoencoder_of(ppo.policy.features_extractor)
    for name, value in after.items():
        changed = not torch.equal(value, before[name])
        assert changed == name.startswith("encoder."), name
    assert same(autoencoder_of(model), before)


def test_what_was_learnt_survives_save_and_load(tmp_path: Path, model: ActorCritic):
    ppo = make_ppo(**encoder_policy_kwargs(model, frozen=False))
    ppo.learn(64)
    learnt = autoencoder_of(ppo.policy.features_extractor)
    ppo.save(tmp_path / "ppo.zip")
    again = PPO.load(tmp_path / "ppo.zip", env=make_game(), device="cpu")
    assert same(autoencoder_of(again.policy.features_extractor), learnt)
    obs = real_observations(40).numpy()
    np.testing.assert_array_equal(
        again.predict(obs, deterministic=True)[0], ppo.predict(obs, deterministic=True)[0]
    )
    again.learn(64)
    assert not same(autoencoder_of(again.policy.features_extractor), learnt)  # and it learns on


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_survives_save_and_load(tmp_path: Path, model: ActorCritic, frozen: bool):
    make_ppo(**encoder_policy_kwargs(model, frozen=frozen)).save(tmp_path / "ppo.zip")
    again = PPO.load(tmp_path / "ppo.zip", device="cpu")
    for name, parameter in again.policy.features_extractor.named_parameters():
        assert parameter.requires_grad == (not frozen and ".encoder." in name)


def test_two_networks_never_share_an_encoder(model: ActorCritic):
    # DQN has a second network that follows slowly, and would not if both had the same weights.
    dqn = DQN(
        "CnnPolicy",
        make_game(),
        buffer_size=200,
        learning_starts=16,
        target_update_interval=10_000,
        policy_kwargs=encoder_policy_kwargs(model, frozen=False),
        device="cpu",
    )
    before = autoencoder_of(dqn.q_net_target.features_extractor)
    dqn.learn(64)
    assert same(autoencoder_of(dqn.q_net_target.features_extractor), before)
    assert not same(autoencoder_of(dqn.q_net.features_extractor), before)


def test_observations_that_were_divided_by_255_are_refused(model: ActorCritic):
    # What the library does unless it is told not to; every latent would be wrong.
    kwargs = encoder_policy_kwargs(model)
    del kwargs["normalize_images"]
    ppo = make_ppo(**kwargs)
    with pytest.raises(ValueError, match="give normalize_images=False"):
        ppo.predict(real_observations(40)[0].numpy())


def test_observations_of_another_game_are_refused(model: ActorCritic):
    space = gym.spaces.Box(0, 255, (4, 84, 84), np.uint8)
    with pytest.raises(ValueError, match=r"must be \(4, 64, 144\), got \(4, 84, 84\)"):
        EncoderFeatures(space, model)
