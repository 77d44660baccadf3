"""Normalisation, compared with NumPy."""

import numpy as np
import pytest
import torch

from encoders import Normalizer


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
    restored = normalizer.denormalize(normalized).numpy()
    torch.testing.assert_close(restored, frames.astype(np.float32), rtol=0, atol=1e-3)


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
