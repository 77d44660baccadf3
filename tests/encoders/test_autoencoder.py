"""Encoder, decoder and normalisation."""

import numpy as np
import pytest
import torch

from encoders import Decoder, Encoder, EncoderConfig, Normalizer, channels_last

OBS_SHAPE = (4, 64, 144)


def test_the_latent_is_64_tanh_units_and_the_decoder_returns_to_the_observation():
    torch.manual_seed(0)
    obs = 100 * torch.randn(3, *OBS_SHAPE)
    latent = Encoder(OBS_SHAPE, EncoderConfig())(obs)
    assert latent.shape == (3, 64)
    assert latent.abs().max() <= 1.0
    assert latent.abs().max() > 0.9  # large inputs saturate: the layer is a tanh
    assert Decoder(OBS_SHAPE, EncoderConfig())(latent).shape == obs.shape


def test_the_autoencoder_can_learn_one_picture():
    torch.manual_seed(0)
    config = EncoderConfig(channels=(8, 16))
    encoder, decoder = Encoder((4, 16, 24), config), Decoder((4, 16, 24), config)
    obs = torch.randn(1, 4, 16, 24)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 3e-3)
    for _ in range(300):
        loss = (decoder(encoder(obs)) - obs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3  # the variance is 1


def test_an_image_is_the_sum_of_outer_products_of_its_profiles():
    torch.manual_seed(0)
    frames, height, width, rank = 4, 8, 16, 3
    decoder = Decoder((frames, height, width), EncoderConfig(rank=rank, decoder_units=5))
    latent = torch.randn(2, 64)
    profiles = decoder.layers(latent).view(2, frames, rank, height + width)
    expected = sum(
        profiles[:, :, k, :height, None] * profiles[:, :, k, None, height:] for k in range(rank)
    )
    drawn = decoder(latent)
    torch.testing.assert_close(drawn, expected)
    assert max(torch.linalg.matrix_rank(image) for image in drawn.flatten(0, 1)) == rank


def test_the_frames_share_what_makes_profiles_of_hidden_units():
    torch.manual_seed(0)
    decoder = Decoder((4, 8, 16), EncoderConfig(latent_dim=4, decoder_units=5))
    first = decoder.layers[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        first.weight.copy_(first.weight[:5].repeat(4, 1))
        first.bias.copy_(first.bias[:5].repeat(4))
    drawn = decoder(torch.randn(2, 4))
    assert drawn.std() > 0
    torch.testing.assert_close(drawn, drawn[:, :1].expand_as(drawn))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiples of 8, got 60 x 144"):
        Encoder((4, 60, 144), EncoderConfig())


def test_normalizer_agrees_with_numpy_over_several_batches():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (30, 8, 9), np.uint8)
    frames[:, 0, 0] = 7
    normalizer = Normalizer(8, 9)
    for part in (frames[:1], frames[1:11], frames[11:]):
        normalizer.update(torch.from_numpy(part))
    mean, std = frames.mean(axis=0), np.sqrt(frames.var(axis=0).mean())
    torch.testing.assert_close(normalizer.mean.numpy(), mean.astype(np.float32))
    assert normalizer.std.item() == pytest.approx(std, rel=1e-4)
    normalized = normalizer(torch.from_numpy(frames))
    torch.testing.assert_close(normalized.numpy(), ((frames - mean) / std).astype(np.float32))
    torch.testing.assert_close(normalizer.denormalize(normalized).numpy(), frames)


def test_normalised_units_in_bfloat16_are_those_of_a_mean_image_that_is_rounded():
    # The mean image in units of the deviation is below 16, so it is rounded by 1/16 at most, alike
    # for all frames; what remains is the rounding of a number that is itself below 8.
    rng = np.random.default_rng(0)
    normalizer = Normalizer(8, 9)
    frames = torch.from_numpy(rng.integers(0, 256, (30, 8, 9), np.uint8))
    normalizer.update(frames)
    rounded, exact = normalizer(frames, torch.bfloat16), normalizer(frames)
    assert rounded.dtype == torch.bfloat16
    error = rounded.float() - exact
    assert error.abs().max() < 1 / 16
    assert (error - error.mean(dim=0)).abs().max() < 1 / 32


def test_frames_without_variance_do_not_blow_up():
    # The first steps of every game show the same empty floor.
    normalizer = Normalizer(8, 8)
    normalizer.update(torch.full((50, 8, 8), 100, dtype=torch.uint8))
    assert normalizer.std.item() == Normalizer.STD_FLOOR
    assert normalizer(torch.full((1, 8, 8), 101)).max().item() == pytest.approx(1 / 8)


def test_normalisation_is_saved_with_the_model():
    trained, fresh = Normalizer(8, 8), Normalizer(8, 8)
    trained.update(torch.randint(0, 256, (5, 8, 8), dtype=torch.uint8))
    fresh.load_state_dict(trained.state_dict())
    probe = torch.randint(0, 256, (2, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(fresh(probe), trained(probe))


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
