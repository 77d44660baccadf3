"""How the latent is used: numbers that can be worked out by hand."""

import pytest
import torch

from encoders.latents import latent_metrics


def test_units_that_all_vary_alike_have_full_rank():
    # A scaled Hadamard matrix: orthogonal columns of mean 0 but for the first, which is constant.
    signs = torch.tensor([[1.0, 1], [1, -1]])
    hadamard = torch.kron(torch.kron(signs, signs), signs)
    found = latent_metrics(0.5 * hadamard)
    assert found["latent/effective_rank"] == pytest.approx(7.0)
    assert found["latent/dead_units"] == 1.0
    assert found["latent/saturated"] == 0.0


def test_two_directions_of_unequal_strength():
    # Singular values 3 : 1, so p = (3/4, 1/4); exp(H) = 4 / 3^(3/4).
    latent = torch.zeros(4, 5)
    latent[:, 0] = 0.3 * torch.tensor([1.0, 1, -1, -1])
    latent[:, 1] = 0.1 * torch.tensor([1.0, -1, 1, -1])
    found = latent_metrics(latent)
    assert found["latent/effective_rank"] == pytest.approx(4 / 3**0.75, rel=1e-5)
    assert found["latent/dead_units"] == 3.0


def test_one_direction_has_rank_one_whatever_the_offset():
    latent = torch.linspace(-0.1, 0.1, 9)[:, None] * torch.ones(6) + 0.5
    assert latent_metrics(latent)["latent/effective_rank"] == pytest.approx(1.0, abs=1e-3)


def test_a_constant_latent_is_dead_and_saturation_is_counted_on_both_sides():
    latent = torch.tensor([[1.0, -0.995, 0.98, 0.0]]).repeat(3, 1)
    found = latent_metrics(latent)
    assert found["latent/dead_units"] == 4.0
    assert found["latent/saturated"] == pytest.approx(0.5)
    assert found["latent/effective_rank"] == pytest.approx(1.0)
