"""What is removed adds nothing, or as little as possible, and the rest stays what it was."""

import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.pruning import prune
from encoders import AutoencoderConfig, DecoderConfig, EncoderConfig, LocatorConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, STAGES

BATCH = 24


def make_model(**settings) -> ActorCritic:
    torch.manual_seed(0)
    config = AutoencoderConfig(
        EncoderConfig(latent_dim=8, channels=(4, 8)),
        DecoderConfig(units=16, rank=4),
        bfloat16=False,
        locator=LocatorConfig(count=1),
    )
    model = ActorCritic(
        OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(config, branch_units=12, **settings), STAGES
    )
    with torch.no_grad():
        for parameter in model.parameters():  # biases, too, so that nothing is 0 by chance
            parameter += 0.05 * torch.randn_like(parameter)
    return model


def seen_by(model: ActorCritic) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    obs = torch.randint(256, (BATCH, *OBS_SHAPE), dtype=torch.uint8)
    gauges = torch.eye(2)[torch.arange(BATCH) % 2]
    return obs, gauges, model.autoencoder.track(model.autoencoder.locate(obs))


def pruned_model(model: ActorCritic, share: float) -> ActorCritic:
    config, tensors = prune(model, *seen_by(model), share)
    smaller = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, STAGES)
    smaller.load_state_dict(tensors)
    return smaller


def outputs(model: ActorCritic, seen: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    policy, value, latent = model(*seen)
    return policy.logits, value, model.autoencoder.decode(latent)


def make_constant(model: ActorCritic) -> None:
    """Let half of the units of every layer say the same of all observations."""
    state = model.state_dict()
    for layer, units in {
        "autoencoder.encoder.convolutions.0": [1, 3],
        "autoencoder.encoder.convolutions.2": [0, 2, 5, 7],
        "autoencoder.encoder.latent": [0, 1, 2, 6],
        "actor.hidden": [0, 2, 4, 6, 8, 10],
        "critic.0": [1, 3, 5, 7, 9, 11],
    }.items():
        state[f"{layer}.weight"][units] = 0.0
        state[f"{layer}.bias"][units] = 0.7
    # A unit of the decoder is one of every frame, which share what it draws.
    drawing = "autoencoder.decoder.layers.0"
    state[f"{drawing}.weight"].view(4, 16, 8)[:, ::2] = 0.0
    state[f"{drawing}.bias"].view(4, 16)[:, ::2] = 0.7
    # At the edge a kernel reads zeros of the padding in place of the constant.
    state["autoencoder.encoder.convolutions.2.weight"][:, [1, 3]] *= torch.tensor(
        [[0.0] * 4, [0, 1, 0, 0], [0.0] * 4, [0.0] * 4]
    )
    model.load_state_dict(state)


def test_units_that_say_the_same_of_everything_are_removed_and_nothing_changes():
    model = make_model()
    make_constant(model)
    smaller = pruned_model(model, 0.5)
    assert smaller.config.autoencoder.encoder == EncoderConfig(latent_dim=4, channels=(2, 4))
    assert smaller.config.autoencoder.decoder == DecoderConfig(units=8, rank=4)
    assert smaller.config.branch_units == 6
    obs, gauges, _ = seen_by(model)
    other = obs.flip(0), gauges, model.autoencoder.track(model.autoencoder.locate(obs.flip(0)))
    for expected, found in zip(outputs(model, other), outputs(smaller, other), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_nothing_is_removed_and_nothing_changes():
    model = make_model()
    smaller = pruned_model(model, 0.0)
    assert smaller.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(smaller.state_dict()[name], value), name


def test_each_layer_keeps_one_unit_at_least():
    smaller = pruned_model(make_model(), 0.99)
    assert smaller.config.autoencoder.encoder == EncoderConfig(latent_dim=1, channels=(1, 1))
    assert smaller.config.branch_units == 1
    assert smaller(*seen_by(smaller)).value.isfinite().all()


def test_what_finds_and_draws_artifacts_stays_whole():
    model = make_model()
    smaller = pruned_model(model, 0.5)
    for name, value in model.state_dict().items():
        if ".locator." in name or ".sprites." in name or ".normalizer." in name:
            assert torch.equal(smaller.state_dict()[name], value), name


def test_the_mean_of_what_is_removed_stays():
    """Without it, in place of a constant, the outputs would be shifted."""
    model = make_model()
    smaller = pruned_model(model, 0.25)
    seen = seen_by(model)
    for expected, found in zip(outputs(model, seen)[:2], outputs(smaller, seen)[:2], strict=True):
        shift = (found.mean(dim=0) - expected.mean(dim=0)).abs().max()
        assert shift < 0.5 * expected.std(dim=0).max()


def test_a_network_with_experts_is_refused():
    with pytest.raises(ValueError, match="with experts or a backbone cannot"):
        pruned_model(make_model(experts=2), 0.5)
