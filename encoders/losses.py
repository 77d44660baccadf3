"""Reconstruction loss in which a few pixels can count: pure functions of tensors."""

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
        if not 1.0 <= self.artifact <= 10**6:
            raise ValueError(f"artifact must be from 1 to {10**6}, got {self.artifact}")
        if not 1e-6 <= self.empty <= 1.0:
            raise ValueError(f"empty must be from 0.000001 to 1, got {self.empty}")
        if not 1.0 < self.cap <= 10**6:
            raise ValueError(f"cap must be above 1 and at most {10**6}, got {self.cap}")


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

    The result is that of the dense functions but for rounding, at half of the time: what they cost
    is memory traffic. Outside of artifact regions all pixels of a frame weigh the same, so there is
    no map of weights, and the images are made once, become their own error, and are gone when the
    gradient of the profiles is known.

    Args:
        columns: (B * C, rank, H) profiles, float32 or bfloat16; an image is the sum of the outer
            products of its columns and rows. Images are made in this type, sums in float32.
        rows: (B * C, rank, W) profiles of the same type.
        target: (B, C, H, W) of the same type.
        regions: (B, C, H, W) uint8, non-zero in artifact regions.
        config: The factors and the cap.

    Returns:
        The loss and its unweighted counterpart.
    """
    target, regions = target.flatten(0, 1), regions.flatten(0, 1)  # (B * C, H, W)
    assert columns.shape[1:] == (rows.shape[1], target.shape[1])
    assert columns.dtype == rows.dtype == target.dtype
    assert len(columns) == len(rows) == len(target) == len(regions)
    occupied = regions.flatten(1).any(dim=1).nonzero().flatten()
    inside = regions[occupied]
    # The three weights, of how many pixels each.
    marked = inside.count_nonzero()
    counts = torch.stack(
        [marked, inside.numel() - marked, marked.new_tensor(regions.numel() - inside.numel())]
    )
    weights = torch.tensor([config.artifact, 1.0, config.empty], device=target.device)
    weights = torch.minimum(weights, config.cap * (weights * counts).sum() / counts.sum())
    artifact, base, empty = weights / (weights * counts).sum()
    per_frame = empty.repeat(len(target)).index_fill_(0, occupied, base)
    factor = torch.where(inside != 0, artifact / base, 1.0)
    return ReconstructionLoss(
        *_OuterProductError.apply(columns, rows, target, per_frame, occupied, factor)
    )


class _OuterProductError(torch.autograd.Function):
    """Squared errors of outer products under a weight per frame and a map for some frames."""

    @staticmethod
    def forward(
        ctx: Any,
        columns: Tensor,
        rows: Tensor,
        target: Tensor,
        weights: Tensor,  # (F,)
        marked: Tensor,  # (K,) int64, frames
        factor: Tensor,  # (K, H, W), on the weight of these frames
    ) -> tuple[Tensor, Tensor]:
        """Weighted sum, and plain mean, of the squared errors."""
        error = torch.baddbmm(target, columns.mT, rows, beta=-1)  # (F, H, W)
        unweighted = _energy(error)
        chosen = error[marked]
        weighted = factor * chosen
        energy = unweighted.index_copy(0, marked, (weighted * chosen).sum(dim=(1, 2)))
        # d/de of w * e^2 is 2 * w * e, and e is linear in either profile.
        error.index_copy_(0, marked, weighted.to(error.dtype))
        slope = 2 * weights[:, None, None].to(error.dtype)
        ctx.save_for_backward((rows @ error.mT).mul_(slope), (columns @ error).mul_(slope))
        mean = unweighted.sum() / target.numel()
        ctx.mark_non_differentiable(mean)
        return (weights * energy).sum(), mean

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Of columns and rows."""
        columns, rows = (gradients[0].to(saved.dtype) * saved for saved in ctx.saved_tensors)
        return columns, rows, None, None, None, None


def _energy(images: Tensor) -> Tensor:
    """(F, H, W) to the sum of squares of each, (F,)."""
    flat = images.flatten(1)
    return cast(Tensor, torch.linalg.vector_norm(flat, dim=1, dtype=torch.float32)).square()
