"""The instruments find out which channels a layer uses."""

import math

import pytest
import torch
from torch import nn

from encoders.channels import channel_norms, shuffled_channel


def test_norms_are_those_of_the_weights_that_read_a_channel():
    weight = torch.zeros(2, 3, 1, 2)
    weight[0, 1, 0] = torch.tensor([3.0, 4.0])
    weight[1, 1, 0, 0] = 12.0
    weight[1, 2, 0, 1] = -2.0
    assert channel_norms(weight).tolist() == [0.0, 13.0, 2.0]
    assert channel_norms(nn.Linear(5, 4).weight).shape == (5,)


def test_a_shuffled_channel_is_that_of_other_samples_and_all_else_stays():
    layer, inputs = nn.Identity(), torch.arange(60.0).view(10, 3, 2)
    with shuffled_channel(layer, 1, torch.Generator().manual_seed(0)):
        seen = layer(inputs)
    assert torch.equal(seen[:, ::2], inputs[:, ::2])
    assert not torch.equal(seen[:, 1], inputs[:, 1])
    assert torch.equal(seen[:, 1].sort(dim=0).values, inputs[:, 1])
    assert torch.equal(layer(inputs), inputs)  # the context is left
    assert torch.equal(inputs, torch.arange(60.0).view(10, 3, 2))


def test_a_layer_is_whole_again_after_an_error():
    layer = nn.Identity()
    with pytest.raises(ZeroDivisionError), shuffled_channel(layer, 0, torch.Generator()):
        raise ZeroDivisionError
    assert torch.equal(layer(torch.eye(4)), torch.eye(4))


def test_what_is_shuffled_matters_as_much_as_the_layer_reads_it():
    torch.manual_seed(0)
    layer, inputs = nn.Linear(3, 1, bias=False), torch.randn(4000, 3)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([2.0, 0.0, 1.0])
        moved: list[float] = []
        for channel in range(3):
            with shuffled_channel(layer, channel, torch.Generator().manual_seed(channel)):
                moved.append((layer(inputs) - inputs @ layer.weight[0][:, None]).std().item())
    assert moved == pytest.approx([2 * math.sqrt(2), 0.0, math.sqrt(2)], rel=0.05)
