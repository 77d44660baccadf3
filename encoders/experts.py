"""Experts by range: small networks side by side, each of which learns from one bin of a variable.

Where images are alike if a variable x is alike, its range is split into bins, and every bin has a
network of its own. All of them see every sample and contribute to its output, through connecting
weights. But a sample changes only the expert of its bin, and those weights.
"""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

NO_BIN = -1
"""Bin of a sample whose x is NaN: no expert learns from it."""


class Bins(nn.Module):
    """Splits the range of a variable at ascending edges; outside of it are the first and last bin.

    A value on an edge belongs to the bin above it.
    """

    edges: Tensor

    def __init__(self, edges: Tensor) -> None:
        """Take the inner edges, (E - 1,) for E bins.

        Raises:
            ValueError: If they do not ascend or one is not finite.
        """
        super().__init__()
        edges = edges.float()
        if not (edges.isfinite().all() and (edges.diff() > 0).all()):
            raise ValueError(f"edges must be finite and ascend, got {edges.tolist()}")
        self.register_buffer("edges", edges)

    @classmethod
    def equal(cls, low: float, high: float, count: int) -> Self:
        """``count`` bins of the same width from ``low`` to ``high``."""
        return cls(torch.linspace(low, high, count + 1)[1:-1])

    @classmethod
    def quantiles(cls, x: Tensor, count: int) -> Self:
        """``count`` bins that hold about as many of the values ``x`` each; NaN does not count.

        Raises:
            ValueError: If so many of the values are the same that two edges are.
        """
        return cls(torch.nanquantile(x.float(), torch.linspace(0, 1, count + 1)[1:-1]))

    def __len__(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1

    def forward(self, x: Tensor) -> Tensor:
        """(B,) to the number of the bin of each, (B,) int64, ``NO_BIN`` for NaN."""
        found = torch.bucketize(x.to(self.edges.dtype).contiguous(), self.edges, right=True)
        return found.masked_fill(x.isnan(), NO_BIN)


class Experts(nn.Module):
    """E networks side by side, whose outputs (B, F, ...) are joined to (B, E * F, ...)."""

    def __init__(self, count: int, make: Callable[[], nn.Module]) -> None:
        """Build ``count`` networks by ``make``."""
        super().__init__()
        self.networks = nn.ModuleList(make() for _ in range(count))

    def forward(self, inputs: Tensor, bins: Tensor | None = None) -> Tensor:
        """All experts see all of ``inputs``.

        Args:
            inputs: (B, ...).
            bins: (B,) int64, which expert learns from each; if left out, all learn from all.
        """
        learning = torch.is_grad_enabled() and not torch.compiler.is_exporting()
        if bins is None or not learning:
            return torch.cat([network(inputs) for network in self.networks], dim=1)
        outputs: list[Tensor] = []
        for number, network in enumerate(self.networks):
            with torch.no_grad():
                output = network(inputs)
            own = (bins == number).nonzero()[:, 0]
            if len(own):
                output = output.index_copy(0, own, network(inputs.index_select(0, own)))
            outputs.append(output)
        return torch.cat(outputs, dim=1)


class ExpertNetwork(nn.Module):
    """Inputs (N, ...) and a variable (N,) to outputs (N, O), by experts and connecting weights.

    Every bin has connecting weights of its own, from the features of all experts to the outputs. If
    all bins shared them, what an expert says of samples that it never learned from could not be
    left out. A sample without a bin has the mean of all outputs.
    """

    def __init__(
        self, bins: Bins, make: Callable[[], nn.Module], features: int, outputs: int
    ) -> None:
        """Build one expert for each bin.

        Args:
            bins: Of the variable.
            make: Builds an expert, which turns inputs into (N, ``features``).
            features: Of one expert.
            outputs: O.
        """
        super().__init__()
        self.bins = bins
        self.experts = Experts(len(bins), make)
        self.connection = nn.Linear(len(bins) * features, len(bins) * outputs)

    def forward(self, inputs: Tensor, x: Tensor) -> Tensor:
        """Inputs (N, ...) and x (N,) to (N, O)."""
        bins = self.bins(x)
        outputs = self.connection(self.experts(inputs, bins)).unflatten(1, (len(self.bins), -1))
        chosen = bins[:, None] == torch.arange(len(self.bins), device=bins.device)  # (N, E)
        chosen |= (bins == NO_BIN)[:, None]
        return (outputs * (chosen / chosen.sum(dim=1, keepdim=True))[:, :, None]).sum(dim=1)
