"""Five scales of one network: what each makes of the grey levels."""

import numpy as np
import pytest
import torch

from benchmarks.normalisation import SCALES, NormalisationConfig
from encoders import Normalizer


def fitted() -> tuple[Normalizer, np.ndarray]:
    rng = np.random.default_rng(0)
    frames = (rng.integers(0, 40, (50, 8, 8)) + 5 * np.arange(8)).astype(np.uint8)
    normalizer = Normalizer(8, 8)
    normalizer.update(torch.from_numpy(frames))
    return normalizer, frames


def test_every_scale_does_what_it_is_called():
    for name, remedy in SCALES.items():
        normalizer, frames = fitted()
        if remedy.normalize:
            remedy.normalize(normalizer)
        found = normalizer(torch.from_numpy(frames)[:, None])[:, 0].numpy()
        whole = frames.astype(np.float64)
        about = whole - whole.mean(axis=0)
        wanted = {
            "raw": whole,
            "unit_range": whole / 255,
            "per_channel": (whole - whole.mean()) / whole.std(),
            "mean_image": about,
            "mean_and_std": about / about.std(),
        }[name]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
        drawn = normalizer.denormalize(torch.from_numpy(found)).numpy()
        np.testing.assert_allclose(drawn, whole, atol=0.01)


def test_an_unknown_scale_is_refused_with_those_that_there_are():
    assert NormalisationConfig().remedies == tuple(SCALES)
    with pytest.raises(ValueError, match=r"remedies must be some of raw, .* got \('default',\)"):
        NormalisationConfig(remedies=("default",))
