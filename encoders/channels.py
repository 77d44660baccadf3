"""Does a layer use an input channel? How strong its weights are, and what a shuffle changes."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn


def channel_norms(weight: Tensor) -> Tensor:
    """Length of the weights that read each input channel.

    A channel that is read in large numbers needs small weights, so norms tell of channels of the
    same scale alone.

    Args:
        weight: (O, C, ...), of a linear layer or a convolution.

    Returns:
        (C,).
    """
    rows = weight.detach().transpose(0, 1).flatten(1).float()
    return cast(Tensor, torch.linalg.vector_norm(rows, dim=1))


@contextmanager
def shuffled_channel(layer: nn.Module, channel: int, generator: torch.Generator) -> Generator[None]:
    """While the context lasts, a layer reads a channel of other samples of the same batch.

    What changes then depends on the channel: its permutation importance (Breiman 2001, "Random
    forests").

    Args:
        layer: Any module whose first argument is (B, C, ...).
        channel: Its channel.
        generator: Of the order, on the CPU.
    """

    def shuffle(values: Tensor) -> Tensor:
        order = torch.randperm(len(values), generator=generator).to(values.device)
        return values[order]

    with changed_channel(layer, channel, shuffle):
        yield


@contextmanager
def changed_channel(
    layer: nn.Module, channel: int, change: Callable[[Tensor], Tensor]
) -> Generator[None]:
    """While the context lasts, a layer reads something else in a channel.

    Args:
        layer: Any module whose first argument is (B, C, ...).
        channel: Its channel.
        change: (B, ...) to what is read instead, of the same shape.
    """

    def hook(_layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        first = inputs[0].clone()
        first[:, channel] = change(first[:, channel])
        return (first, *inputs[1:])

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
