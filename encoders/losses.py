"""Reconstruction loss in which a few pixels can count: pure functions of tensors."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class ArtifactWeightsConfig:
    """How much more a small artifact counts in the reconstruction loss."""

    artifact: float = 20.0
    """Weight of a pixel in an artifact's region, at least 1; beside one, pixels weigh 1."""
    empty: float = 0.5
    """Factor on frames without any artifact, above 0 and at most 1."""
    cap: float = 100.0
    """No pixel weighs more than this multiple of the mean weight, above 1."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if not 1.0 <= self.artifact < float("inf"):
            raise ValueError(f"artifact must be a finite number from 1, got {self.artifact}")
        if not 0.0 < self.empty <= 1.0:
            raise ValueError(f"empty must be above 0 and at most 1, got {self.empty}")
        if not 1.0 < self.cap < float("inf"):
            raise ValueError(f"cap must be a finite number above 1, got {self.cap}")


def pixel_weights(regions: Tensor, config: ArtifactWeightsConfig) -> Tensor:
    """What each pixel counts before capping and normalisation, the numbers of the config.

    ``artifact`` inside an artifact's region, 1 elsewhere in a frame that has one, ``empty`` in a
    frame that has none.

    Args:
        regions: (B, C, H, W), non-zero in artifact regions; each of the C frames on its own.
        config: The factors.

    Returns:
        (B, C, H, W) float32 on the device of ``regions``.
    """
    inside = regions != 0
    occupied = inside.flatten(2).any(dim=2)[:, :, None, None]
    return torch.where(inside, config.artifact, torch.where(occupied, 1.0, config.empty))


def artifact_weights(regions: Tensor, config: ArtifactWeightsConfig) -> Tensor:
    """Weight of every pixel in the reconstruction loss; the weights of a batch sum to 1.

    The pixel weights are cut to ``cap`` times their mean and divided by their sum, so that the loss
    keeps its scale however many artifacts are in view.

    Args:
        regions: (B, C, H, W), non-zero in artifact regions.
        config: The factors and the cap.

    Returns:
        (B, C, H, W) float32 on the device of ``regions``.
    """
    weights = pixel_weights(regions, config)
    weights = torch.minimum(weights, config.cap * weights.mean())
    return weights / weights.sum()


def weighted_mse(reconstruction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of the squared error under ``weights``: sum(w * (reconstruction - target)^2).

    With all weights equal and summing to 1 this is the plain mean squared error.

    Args:
        reconstruction: Any shape.
        target: The same shape.
        weights: The same shape, summing to 1.

    Returns:
        A scalar float32.
    """
    assert reconstruction.shape == target.shape == weights.shape
    return (weights * (reconstruction.float() - target.float()).square()).sum()


class ReconstructionLoss(NamedTuple):
    """Two means of the squared error of the same reconstructions, scalars."""

    weighted: Tensor
    """Under ``artifact_weights``; to be learned from."""
    unweighted: Tensor
    """Of every pixel alike, without gradient; to be looked at."""


def outer_product_loss(
    columns: Tensor, rows: Tensor, target: Tensor, regions: Tensor, config: ArtifactWeightsConfig
) -> ReconstructionLoss:
    """``weighted_mse`` under ``artifact_weights`` of images that are sums of outer products.

    Outside of artifact regions all pixels of a frame weigh the same, and the squared error of
    a frame X and its reconstruction U V (U is H x rank, V is rank x W) needs no image:

        |U V - X|^2 = |X|^2 - 2 sum(U * (X V^T)) + sum((U^T U) * (V V^T))

    Only frames that hold an artifact are drawn, to weigh its region. The result is that of the
    dense functions but for rounding, at a fraction of the memory traffic that dominates them.

    Args:
        columns: (B * C, rank, H), the transposes of U.
        rows: (B * C, rank, W), V.
        target: (B, C, H, W) float32.
        regions: (B, C, H, W) uint8, non-zero in artifact regions.
        config: The factors and the cap.

    Returns:
        The loss and its unweighted counterpart.
    """
    target, regions = target.flatten(0, 1), regions.flatten(0, 1)  # (B * C, H, W)
    assert columns.shape[1:] == (rows.shape[1], target.shape[1])
    assert len(columns) == len(rows) == len(target) == len(regions)
    occupied = regions.flatten(1).any(dim=1).nonzero().flatten()
    inside = regions[occupied] != 0
    pixels = target[0].numel()
    marked, beside = inside.sum(), len(occupied) * pixels
    # The three weights and how many pixels have each.
    weights = columns.new_tensor([config.artifact, 1.0, config.empty])
    counts = torch.stack([marked, beside - marked, regions.numel() - beside + 0 * marked])
    weights = torch.minimum(weights, config.cap * (weights * counts).sum() / regions.numel())
    weights = weights / (weights * counts).sum()
    flat = target.flatten(1)
    energy = (flat[:, None] @ flat[:, :, None]).flatten()
    overlap = (columns * (rows @ target.mT)).sum(dim=(1, 2))
    drawn = ((columns @ columns.mT) * (rows @ rows.mT)).sum(dim=(1, 2))
    errors = energy - 2 * overlap + drawn  # (B * C,)
    base = weights[2].expand(len(errors)).index_fill(0, occupied, 0.0)
    base = base.index_add(0, occupied, weights[1].expand(len(occupied)))
    difference = columns[occupied].mT @ rows[occupied] - target[occupied]
    extra = (weights[0] - weights[1]) * (inside * difference.square()).sum()
    return ReconstructionLoss(
        (base * errors).sum() + extra, errors.detach().sum() / regions.numel()
    )
