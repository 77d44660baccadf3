"""Each expert learns from its own bin alone, exactly, and yet all of them contribute."""

import math

import pytest
import torch
from torch import nn

from encoders import Autoencoder, AutoencoderConfig, EncoderConfig
from encoders.experts import NO_BIN, Bins, ExpertNetwork, Experts

OBS_SHAPE = (4, 16, 24)


def linear() -> nn.Module:
    return nn.Linear(5, 3)


def touched(experts: Experts) -> set[int]:
    """Numbers of the experts that have a gradient other than zero."""
    return {
        number
        for number, network in enumerate(experts.networks)
        if any(one.grad is not None and one.grad.any() for one in network.parameters())
    }


def test_edges_split_a_range_and_what_lies_outside_is_in_the_outer_bins():
    bins = Bins(torch.tensor([0.0, 2.0]))
    x = torch.tensor([-math.inf, -1, 0, 1.99, 2, 7, math.inf, math.nan])
    assert bins(x).tolist() == [0, 0, 1, 1, 2, 2, 2, NO_BIN]
    assert len(bins) == 3
    assert bins(torch.tensor([-1, 1, 5])).tolist() == [0, 1, 2]  # whole numbers, too


def test_bins_of_equal_width():
    assert Bins.equal(10, 20, 4).edges.tolist() == [12.5, 15.0, 17.5]
    assert len(Bins.equal(0, 1, 1)) == 1


def test_bins_by_quantiles_hold_as_many_values_each():
    x = torch.cat([torch.rand(3000) ** 3, torch.full((50,), math.nan)])
    counts = torch.bincount(Bins.quantiles(x, 5)(x) + 1)
    assert counts[0] == 50  # of NaN
    assert (counts[1:] - 600).abs().max() <= 1


@pytest.mark.parametrize("edges", [[1.0, 1.0], [2.0, 1.0], [0.0, math.nan], [math.inf]])
def test_edges_that_do_not_ascend_are_refused(edges: list[float]):
    with pytest.raises(ValueError, match="edges must be finite and ascend"):
        Bins(torch.tensor(edges))


def test_quantiles_of_too_few_values_are_refused():
    with pytest.raises(ValueError, match="edges must be finite and ascend"):
        Bins.quantiles(torch.tensor([1.0, 1.0, 1.0, 2.0]), 4)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_sample_changes_the_expert_of_its_bin_and_no_other(number: int):
    experts = Experts(3, linear)
    experts(torch.randn(4, 5), torch.full((4,), number)).square().sum().backward()
    assert touched(experts) == {number}


def test_a_sample_without_a_bin_changes_no_expert():
    experts = Experts(3, linear)
    inputs = torch.randn(4, 5, requires_grad=True)
    output = experts(inputs, torch.tensor([NO_BIN, 1, NO_BIN, 1]))
    output.square().sum().backward()
    assert touched(experts) == {1}
    assert inputs.grad.any(dim=1).tolist() == [False, True, False, True]


def test_the_gradient_of_an_expert_is_that_of_a_batch_of_its_own_samples():
    torch.manual_seed(0)
    experts, inputs = Experts(2, linear), torch.randn(6, 5)
    bins = torch.tensor([0, 1, 1, 0, 1, 0])
    experts(inputs, bins).pow(3).sum().backward()
    for number, network in enumerate(experts.networks):
        found = network.weight.grad.clone()
        network.zero_grad()
        network(inputs[bins == number]).pow(3).sum().backward()
        torch.testing.assert_close(found, network.weight.grad)


def test_all_contribute_and_the_output_does_not_depend_on_the_bins():
    experts, inputs = Experts(3, linear), torch.randn(7, 5)
    joined = torch.cat([network(inputs) for network in experts.networks], dim=1)
    for bins in (None, torch.randint(-1, 3, (7,))):
        torch.testing.assert_close(experts(inputs, bins), joined)
        with torch.no_grad():
            torch.testing.assert_close(experts(inputs, bins), joined)


def test_without_bins_all_learn():
    experts = Experts(3, linear)
    experts(torch.randn(4, 5)).square().sum().backward()
    assert touched(experts) == {0, 1, 2}


def test_the_connecting_weights_of_a_bin_read_every_expert():
    torch.manual_seed(0)
    network = ExpertNetwork(Bins.equal(0, 1, 2), linear, features=3, outputs=2)
    network(torch.randn(8, 5), torch.full((8,), 0.9)).sum().backward()
    assert touched(network.experts) == {1}
    first, second = network.connection.weight.grad.split(2)  # of a bin: (outputs, 2 * 3)
    assert not first.any()
    assert (second != 0).all()


def test_a_sample_without_a_bin_has_the_mean_of_the_outputs():
    network, inputs = ExpertNetwork(Bins.equal(0, 1, 2), linear, 3, outputs=2), torch.randn(4, 5)
    low, high, unknown = (network(inputs, torch.full((4,), x)) for x in (0.0, 1.0, math.nan))
    torch.testing.assert_close(unknown, (low + high) / 2)
    unknown.sum().backward()
    assert not touched(network.experts)
    assert network.connection.weight.grad.any(dim=1).all()


def test_experts_learn_what_depends_on_x_and_is_in_no_input():
    torch.manual_seed(0)
    inputs, x = torch.randn(512, 5), torch.rand(512)
    target = inputs[:, :1] * torch.where(x > 0.5, 1.0, -1.0)[:, None]
    network = ExpertNetwork(Bins.equal(0, 1, 2), linear, 3, outputs=1)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(network(inputs, x), target)
        loss.backward()
        optimizer.step()
    assert loss < 0.01


def test_an_autoencoder_with_experts_learns_by_bins_and_encodes_without():
    torch.manual_seed(0)
    config = AutoencoderConfig(EncoderConfig(channels=(4, 8)), bfloat16=False)
    model = Autoencoder(OBS_SHAPE, config, experts=3)
    obs = torch.randint(256, (6, *OBS_SHAPE), dtype=torch.uint8)
    latent = model.encode(obs, x=torch.tensor([0.1, 0.9, 0.1, 0.9, math.nan, 5.0]))
    latent[:, :64].sum().backward()
    assert isinstance(model.encoder.convolutions, Experts)
    assert touched(model.encoder.convolutions) == {0, 2}
    torch.testing.assert_close(model.encode(obs), latent)


def test_one_expert_is_the_plain_encoder():
    config = AutoencoderConfig(bfloat16=False)
    plain, one = (Autoencoder(OBS_SHAPE, config, *count) for count in ((), (1,)))
    assert [*plain.state_dict()] == [*one.state_dict()]
