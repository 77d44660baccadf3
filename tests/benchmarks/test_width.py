"""Latents of several widths: what is trained, and the rules of thumb beside it."""

import pytest

from benchmarks.remedy_training import encode, train_autoencoder
from benchmarks.width import MEAN_OF_ENDS, WIDTHS, WidthConfig
from tests.benchmarks.test_reconstruction import planted_scene


@pytest.mark.parametrize("units", ["8", "128"])
def test_a_latent_has_as_many_units_as_its_name_says_and_those_of_tracks(units: str):
    frames = planted_scene()
    model = train_autoencoder(frames, WIDTHS[units], 1, 32).model
    assert model.config.encoder.latent_dim == int(units)
    assert encode(model, frames).shape == (12, int(units) + 15)


def test_the_mean_of_input_and_output():
    assert MEAN_OF_ENDS == (4 * 64 * 144 + 14) // 2


def test_an_unknown_width_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"remedies must be some of 8, 16, 32, 64, 128, 256"):
        WidthConfig(remedies=("7",))
