"""Encoder and decoder as one thing: what is encoded, drawn and learned from."""

import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from agent.rollout import Rollout
from encoders import (
    ArtifactDetectorConfig,
    ArtifactWeightsConfig,
    Autoencoder,
    AutoencoderConfig,
    Decoder,
    DecoderConfig,
    Encoder,
    EncoderConfig,
    LocatorConfig,
    Normalizer,
    Points,
    ReconstructionLoss,
    artifact_weights,
    make_finder,
    weighted_mse,
)
from encoders.artifact_weights import LEFT_OUT
from encoders.encoder import channels_last
from encoders.fidelity import artifact_fidelity
from encoders.locator import artifacts_of, location_loss

OBS_SHAPE = (4, 64, 144)


def test_the_latent_is_64_tanh_units_and_the_decoder_returns_to_the_observation():
    torch.manual_seed(0)
    obs = 100 * torch.randn(3, *OBS_SHAPE)
    latent = Encoder(OBS_SHAPE, EncoderConfig())(obs)
    assert latent.shape == (3, 64)
    assert latent.abs().max() <= 1.0
    assert latent.abs().max() > 0.9  # large inputs saturate: the layer is a tanh
    assert Decoder(OBS_SHAPE, 64, DecoderConfig())(latent).shape == obs.shape


def test_the_autoencoder_can_learn_one_picture():
    torch.manual_seed(0)
    encoder = Encoder((4, 16, 24), EncoderConfig(channels=(8, 16)))
    decoder = Decoder((4, 16, 24), 64, DecoderConfig())
    obs = torch.randn(1, 4, 16, 24)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 3e-3)
    for _ in range(300):
        loss = (decoder(encoder(obs)) - obs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3  # the variance is 1


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiples of 8, got 60 x 144"):
        Encoder((4, 60, 144), EncoderConfig())


def test_channels_last_moves_bytes_but_changes_no_number():
    torch.manual_seed(0)
    obs = torch.randint(0, 256, (3, *OBS_SHAPE), dtype=torch.uint8)
    interleaved = channels_last(obs)
    assert interleaved.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(interleaved, obs)
    normalizer = Normalizer(*OBS_SHAPE[1:])
    normalizer.update(obs[:, 0])
    normalized = normalizer(interleaved)
    assert normalized.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(normalized, normalizer(obs))


SMALL = (4, 16, 24)


def make_autoencoder(*, bfloat16: bool) -> Autoencoder:
    torch.manual_seed(0)
    encoder, decoder = EncoderConfig(12, channels=(4, 8)), DecoderConfig(units=6, rank=3)
    config = AutoencoderConfig(encoder, decoder, bfloat16, LocatorConfig(count=0))
    autoencoder = Autoencoder(SMALL, config)
    autoencoder.fit_normalizer(torch.randint(0, 256, (20, *SMALL[1:]), dtype=torch.uint8))
    return autoencoder


def test_the_autoencoder_is_its_parts_one_after_the_other():
    autoencoder = make_autoencoder(bfloat16=False)
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    mean, std = autoencoder.normalizer.mean, autoencoder.normalizer.std
    latent = autoencoder.encoder((obs - mean) / std)
    torch.testing.assert_close(autoencoder.encode(obs), latent)
    images = autoencoder.decoder(latent)
    torch.testing.assert_close(autoencoder.decode(latent), images)
    torch.testing.assert_close(autoencoder.draw(latent), images * std + mean)
    levels = (images * std + mean).round().clamp(0, 255)
    assert autoencoder.reconstruct(obs).dtype == torch.uint8
    assert (autoencoder.reconstruct(obs).float() - levels).abs().max() <= 1  # rounding of halves
    assert not autoencoder.reconstruct(obs).requires_grad


def test_the_loss_is_the_weighted_error_of_what_is_drawn():
    autoencoder = make_autoencoder(bfloat16=False)
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    regions = torch.zeros_like(obs)
    regions[1, 2, 3:5, 6:9] = 1
    weights = ArtifactWeightsConfig(artifact=7.0, empty=0.25)
    latent = autoencoder.encode(obs)
    loss = autoencoder.loss(latent, obs, regions, weights)
    target = autoencoder.normalizer(obs)
    dense = weighted_mse(autoencoder.decode(latent), target, artifact_weights(regions, weights))
    torch.testing.assert_close(loss.reconstruction, dense)
    plain = (autoencoder.decode(latent) - target).square().mean()
    torch.testing.assert_close(loss.unweighted, plain)
    gradients = torch.autograd.grad(
        loss.reconstruction, [*autoencoder.parameters()], retain_graph=True
    )
    expected = torch.autograd.grad(dense, [*autoencoder.parameters()])
    torch.testing.assert_close(gradients, expected)


def test_bfloat16_is_used_where_the_processor_has_it_and_results_are_float32(monkeypatch):
    exact = make_autoencoder(bfloat16=False)
    rounded = make_autoencoder(bfloat16=True)
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    regions = torch.zeros_like(obs)
    for has_it in (True, False):
        monkeypatch.setattr("encoders.autoencoder.has_bfloat16", lambda _, has=has_it: has)
        latent = rounded.encode(obs)
        assert latent.dtype == rounded.decode(latent).dtype == torch.float32
        assert torch.equal(latent, exact.encode(obs)) is not has_it
        torch.testing.assert_close(latent, exact.encode(obs), rtol=0, atol=0.05)
        losses = [
            model.loss(latent, obs, regions, ArtifactWeightsConfig()) for model in (rounded, exact)
        ]
        drawn = [loss.reconstruction for loss in losses]
        assert drawn[0].dtype == torch.float32
        torch.testing.assert_close(*drawn, rtol=0.05, atol=0)


def make_with_tracks() -> Autoencoder:
    torch.manual_seed(0)
    parts = EncoderConfig(12, channels=(4, 8)), DecoderConfig(units=6, rank=3)
    locator = LocatorConfig(count=2, channels=(4, 4))
    autoencoder = Autoencoder(SMALL, AutoencoderConfig(*parts, bfloat16=False, locator=locator))
    autoencoder.fit_normalizer(torch.randint(0, 256, (20, *SMALL[1:]), dtype=torch.uint8))
    return autoencoder


def knife_in(obs: torch.Tensor, autoencoder: Autoencoder) -> tuple[torch.Tensor, torch.Tensor]:
    """Regions with a knife in each of two frames, and the latent if only one of them is found."""
    regions = torch.zeros_like(obs)
    regions[1, 3, 2:8, 4:13] = 1
    regions[2, 1, 5:11, 10:19] = 1
    places = torch.zeros(len(obs), 4, 2, 2)
    present = torch.zeros(len(obs), 4, 2, dtype=torch.bool)
    places[1, 3, 0], present[1, 3, 0] = torch.tensor([4.5, 8.0]), True
    latent = autoencoder.encode(obs, autoencoder.track(Points(places, present)))
    return regions, latent


def test_tracks_lie_in_the_latent_after_the_units_of_the_encoder():
    autoencoder = make_with_tracks()
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    assert autoencoder.track_units == 10
    assert autoencoder.encoder.latent.out_features == 12
    known = 2 * torch.rand(5, 10) - 1
    latent = autoencoder.encode(obs, known)
    assert torch.equal(latent[:, 12:], known)
    # If they are not known, they are found in the frames, each of which is looked at on its own.
    with torch.no_grad():
        last = autoencoder.locator.layers[-1]
        last.bias[0] = 1.0
    found = autoencoder.encode(obs)
    assert found.shape == (5, 22)
    assert torch.equal(found[:, :12], latent[:, :12])
    places = autoencoder.locate(obs)
    assert places.present.any()
    one = autoencoder.locate(obs[2:3, 1:2])
    assert torch.equal(one.present[0, 0], places.present[2, 1])
    torch.testing.assert_close(one.places[0, 0], places.places[2, 1])
    assert torch.equal(found[:, 12:], autoencoder.track(places))


def test_sprites_are_drawn_over_what_the_decoder_draws():
    autoencoder = make_with_tracks()
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    _, latent = knife_in(obs, autoencoder)
    images = autoencoder.decode(latent) - autoencoder.decoder(latent[:, :12])
    assert autoencoder.sprites is not None
    point = Points(torch.tensor([[4.5, 8.0]]), torch.tensor([True]))
    expected = torch.zeros_like(images)
    expected[1, 3] = autoencoder.sprites(point)
    assert expected.max() > 0.5
    torch.testing.assert_close(images, expected)


def test_what_a_track_holds_counts_nothing_for_the_decoder_and_the_rest_is_weighed():
    autoencoder = make_with_tracks()
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    regions, latent = knife_in(obs, autoencoder)
    weights = ArtifactWeightsConfig(artifact=7.0, empty=0.25)
    loss = autoencoder.loss(latent, obs, regions, weights)
    error = autoencoder.decode(latent) - autoencoder.normalizer(obs)
    left = regions.clone()
    left[1, 3][regions[1, 3] != 0] = LEFT_OUT
    expected = (artifact_weights(left, weights) * error.square()).sum()
    torch.testing.assert_close(loss.reconstruction, expected)
    torch.testing.assert_close(loss.unweighted, error.square().mean())


def test_each_loss_trains_its_own_parts_alone():
    autoencoder = make_with_tracks()
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    regions, latent = knife_in(obs, autoencoder)
    loss = autoencoder.loss(latent, obs, regions, ArtifactWeightsConfig())
    others, apart = autoencoder.parameter_groups().values()
    assert len(apart) == 6 + 3  # three layers of the locator, three properties of a sprite
    assert len(others) + len(apart) == len([*autoencoder.parameters()])
    for one, trained, untouched in (
        (loss.reconstruction, others, apart),
        (loss.artifacts, apart, others),
    ):
        none = torch.autograd.grad(one, untouched, retain_graph=True, allow_unused=True)
        assert all(gradient is None or not gradient.any() for gradient in none)
        some = torch.autograd.grad(one, trained, retain_graph=True)
        assert all(gradient.any() for gradient in some)


def test_artifacts_learn_from_the_newest_frames():
    autoencoder = make_with_tracks()
    obs = torch.randint(0, 256, (5, *SMALL), dtype=torch.uint8)
    regions, latent = knife_in(obs, autoencoder)
    loss = autoencoder.loss(latent, obs, regions, ArtifactWeightsConfig()).artifacts
    frames, labels = autoencoder.normalizer(obs)[:, -1], regions[:, -1]
    assert autoencoder.locator is not None
    assert autoencoder.sprites is not None
    artifacts = artifacts_of(labels)
    expected = location_loss(autoencoder.locator(frames), artifacts)
    expected += autoencoder.sprites.loss(frames, labels, artifacts)
    torch.testing.assert_close(loss, expected)


def test_what_a_sprite_draws_counts_nothing_and_another_artifact_most(
    monkeypatch: pytest.MonkeyPatch,
):
    autoencoder, config = make_with_tracks(), ArtifactWeightsConfig()
    obs = torch.randint(0, 256, (3, *SMALL), dtype=torch.uint8)
    regions = torch.zeros(3, *SMALL[1:], dtype=torch.uint8)
    regions[:2, 2:8, 4:13], regions[0, 10:14, 2:6] = 1, 2
    places, present = torch.zeros(3, 4, 2, 2), torch.zeros(3, 4, 2, dtype=torch.bool)
    places[0, 3, 0], present[0, 3, 0] = torch.tensor([4.5, 8.0]), True
    monkeypatch.setattr(autoencoder, "locate", lambda _: Points(places, present))
    known, unknown, empty = autoencoder.newest_weights(obs, regions, config)
    assert known[regions[0] == 1].unique().tolist() == [0.0]
    assert known[regions[0] == 2].unique().tolist() == [1.0]
    assert unknown[regions[1] == 1].unique().tolist() == [1.0]
    assert unknown[regions[1] == 0].unique().tolist() == pytest.approx([1 / config.artifact])
    assert empty.unique().tolist() == pytest.approx([config.empty / config.artifact])


class DenseDecoder(torch.nn.Module):
    """Another decoder, as somebody might write it: one layer, and the loss for any decoder."""

    def __init__(self, obs_shape: tuple[int, int, int], latent_dim: int, _: DecoderConfig) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(latent_dim, int(np.prod(obs_shape)))
        self.obs_shape = obs_shape

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return self.layer(latent).view(-1, *self.obs_shape)

    def loss(self, latent, target, regions, config) -> ReconstructionLoss:
        images, target = self(latent).float(), target.float()
        weighted = weighted_mse(images, target, artifact_weights(regions, config))
        return ReconstructionLoss(weighted, (images - target).square().mean().detach())


def test_another_decoder_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch):
    # The line in Autoencoder.__init__ that names the decoder is all that has to change.
    monkeypatch.setattr("encoders.autoencoder.Decoder", DenseDecoder)
    torch.manual_seed(0)
    model = ActorCritic(SMALL, 3, ActorCriticConfig())
    sizes = (0, model.autoencoder.track_units)
    rollout = Rollout(8, 4, SMALL, torch.device("cpu"), *sizes)
    rollout.frames[:] = torch.randint(0, 256, rollout.frames.shape, dtype=torch.uint8)
    model.autoencoder.fit_normalizer(rollout.frames[0])
    learner = PPO(model, PPOConfig(num_minibatches=2), ArtifactWeightsConfig(), CreditConfig())
    losses = [learner.update(rollout, 10**6, 0.0)["loss/reconstruction"] for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    finder = make_finder(ArtifactDetectorConfig())
    assert artifact_fidelity(model.autoencoder, finder, *rollout.fidelity_sample())


def test_a_mask_channel_is_found_and_read_beside_the_frames():
    torch.manual_seed(0)
    config = AutoencoderConfig(EncoderConfig(channels=(4, 8)), bfloat16=False, mask_channel=True)
    autoencoder = Autoencoder(SMALL, config)
    obs = torch.randint(0, 256, (3, *SMALL), dtype=torch.uint8)
    mask = torch.zeros(3, *SMALL[1:], dtype=torch.uint8)
    mask[1, 2:6, 4:9] = 7  # any label
    seen: list[torch.Tensor] = []
    autoencoder.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with pytest.raises(ValueError, match="needs a finder"):
        autoencoder.encode(obs)
    asked: list[np.ndarray] = []
    autoencoder.finder = lambda frames: asked.append(frames) or mask.numpy()
    latent = autoencoder.encode(obs)
    assert (asked[0] == obs.numpy()).all()
    assert torch.equal(seen[0][:, 4], (mask > 0).float())
    torch.testing.assert_close(seen[0][:, :4], autoencoder.normalizer(obs))
    autoencoder.finder = lambda _: 0 * mask.numpy()
    assert not torch.equal(autoencoder.encode(obs)[1], latent[1])
