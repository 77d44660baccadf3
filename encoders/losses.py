"""Reconstruction loss in which a few pixels can count: pure functions of tensors."""

from dataclasses import dataclass

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
