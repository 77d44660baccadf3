"""How the encoder uses its tanh units: pure functions of a sample of latents."""

from typing import cast

import torch
from torch import Tensor

DEAD_STD = 0.01
"""A unit that varies less over a sample says nothing."""
SATURATED = 0.99
"""Beyond this, tanh passes less than two per cent of a gradient."""


def latent_metrics(latent: Tensor) -> dict[str, float]:
    """Saturation, dead units and effective rank.

    The effective rank is exp(H(p)) with p the singular values of the centred latents divided by
    their sum (Roy & Vetterli 2007, "The effective rank"): 1 if all vary along one direction, Z if
    alike along all. The derivative of tanh at ``SATURATED`` is 1 - 0.99^2 = 0.02.

    Args:
        latent: (B, Z) in -1..1, B at least 2.

    Returns:
        ``latent/saturated`` (share of activations), ``latent/dead_units`` (number) and
        ``latent/effective_rank``.
    """
    centred = latent.float() - latent.float().mean(dim=0)
    singular = cast(Tensor, torch.linalg.svdvals(centred))
    share = singular / singular.sum().clamp(min=1e-12)
    entropy = -torch.xlogy(share, share).sum()
    return {
        "latent/saturated": latent.abs().gt(SATURATED).float().mean().item(),
        "latent/dead_units": float(centred.std(dim=0).lt(DEAD_STD).sum()),
        "latent/effective_rank": entropy.exp().item(),
    }
