"""A function of a network as one call that does not hold Python's lock.

A small network that acts consists of many short operations. Most of their time is Python's, whose
lock other threads wait for. TorchScript records the operations once and repeats them in C++, with
the same result to the bit.
"""

import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor, nn

Inputs = ParamSpec("Inputs")
Outputs = TypeVar("Outputs")
SUPPORTED = sys.version_info < (3, 14)
"""Whether this Python has TorchScript; without it everything works, but slower."""


def traced(
    network: nn.Module, function: Callable[Inputs, Outputs], example: Sequence[Tensor]
) -> Callable[Inputs, Outputs]:
    """``function`` recorded, if this Python can.

    Parameters and buffers of the network may change afterwards, but only in place.

    Args:
        network: Whose parameters and buffers the function reads.
        function: Of tensors, returns tensors and needs no gradient. What it decides by the values
            of tensors is decided once, by those of the example.
        example: Inputs, of the shapes, types and strides that all have.
    """
    if not SUPPORTED:
        return function
    tensors = [*network.parameters(), *network.buffers()]
    # Without gradients TorchScript does not prepare for any.
    values = [tensor.detach() for tensor in tensors]

    def pure(values: list[Tensor], *inputs: Any) -> Any:
        with _replaced(network, dict(zip(map(id, tensors), values, strict=True))):
            return cast(Any, function)(*inputs)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that it is deprecated, and that what is decided stays so
        recorded = cast(Any, torch.jit.trace(pure, (values, *example), check_trace=False))

    def replay(*inputs: Any) -> Any:
        with torch.no_grad():
            return recorded(values, *inputs)

    return cast(Callable[Inputs, Outputs], replay)


@contextmanager
def _replaced(network: nn.Module, by_id: dict[int, Tensor]) -> Generator[None]:
    """Let the network use other tensors, found by the ``id`` of its own."""
    stores: list[dict[str, Any]] = []
    for part in network.modules():
        stores += part._parameters, part._buffers  # pyright: ignore[reportPrivateUsage]
    before = [dict(store) for store in stores]
    try:
        for store in stores:
            for name, tensor in store.items():
                if tensor is not None:
                    store[name] = by_id[id(tensor)]
        yield
    finally:
        for store, own in zip(stores, before, strict=True):
            store.update(own)
