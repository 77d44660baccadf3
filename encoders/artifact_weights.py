"""Weights under which a few pixels count in the reconstruction loss of any decoder."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from encoders.tracks import Points
from settings import Checked, Within


@dataclass(frozen=True)
class ArtifactWeightsConfig(Checked):
    """How much more a small artifact counts in the reconstruction loss."""

    artifact: Annotated[float, Within(1, 10**6)] = 20.0
    """Weight of a pixel in an artifact's region. Other pixels of the same frame weigh 1."""
    empty: Annotated[float, Within(1e-6, 1)] = 0.5
    """Weight of every pixel of a frame without any artifact."""
    newest: Annotated[float, Within(1, 10**6)] = 3.0
    """How many times as much as an older frame the newest one counts. It is what the agent needs
    most, and the older ones were the newest before."""
    cap: Annotated[float, Within(1, 10**6, above=True)] = 100.0
    """No pixel weighs more than this multiple of the mean weight."""


LEFT_OUT = 255
"""Label of regions that something else draws: the error in there has no weight."""


class ReconstructionLoss(NamedTuple):
    """Two means of the squared error of the same reconstructions, scalars."""

    weighted: Tensor
    """Under ``artifact_weights``; to learn from."""
    unweighted: Tensor
    """Of every pixel alike, without gradient; to look at."""
    weight: Tensor | None = None
    """Sum of the capped weights, by which they were divided: what the first mean counts beside
    those of other batches."""


def pixel_weights(regions: Tensor, config: ArtifactWeightsConfig) -> Tensor:
    """Weight of each pixel before capping and normalisation: the numbers of the config.

    Args:
        regions: (B, C, H, W), non-zero in artifact regions; each of the C frames on its own. Those
            that are ``LEFT_OUT`` are none.
        config: The weights.

    Returns:
        (B, C, H, W) float32 on the device of ``regions``.
    """
    left_out = regions == LEFT_OUT
    in_region = (regions != 0) & ~left_out
    has_artifact = in_region.flatten(2).any(dim=2)[:, :, None, None]
    weights = torch.where(in_region, config.artifact, torch.where(has_artifact, 1.0, config.empty))
    weights[:, -1] *= config.newest
    return weights.masked_fill(left_out, 0.0)


def artifact_weights(regions: Tensor, config: ArtifactWeightsConfig) -> Tensor:
    """Weight of every pixel in the reconstruction loss; the weights of a batch sum to 1.

    The pixel weights are cut to ``cap`` times their mean and divided by their sum, so that the loss
    keeps its scale however many artifacts are in view.

    Args:
        regions: (B, C, H, W), non-zero in artifact regions, ``LEFT_OUT`` where no error counts.
        config: The weights and the cap.

    Returns:
        (B, C, H, W) float32 on the device of ``regions``.
    """
    weights = pixel_weights(regions, config)
    weights = torch.minimum(weights, config.cap * weights.mean())
    return weights / weights.sum()


def leave_out(regions: Tensor, points: Points) -> Tensor:
    """A copy of ``regions`` in which those with a point inside are ``LEFT_OUT``.

    Args:
        regions: (B, C, H, W) uint8, a label in the region of each artifact, 0 elsewhere.
        points: (B, C, K), places in the same frames.
    """
    frames = regions.flatten(0, 1).clone()
    places = points.places.flatten(0, 1).round().long()
    for present, place in zip(points.present.flatten(0, 1).T, places.transpose(0, 1), strict=True):
        which = present.nonzero()[:, 0]
        row, column = place[which].unbind(dim=1)
        row, column = row.clamp(0, frames.shape[1] - 1), column.clamp(0, frames.shape[2] - 1)
        label = frames[which, row, column]
        which, label = which[label != 0], label[label != 0]
        inside = frames[which] == label[:, None, None]
        frames[which] = frames[which].masked_fill(inside, LEFT_OUT)
    return frames.view_as(regions)


def weighted_mse(reconstruction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of the squared error under ``weights``: sum(w * (reconstruction - target)^2).

    With equal weights that sum to 1 this is the plain mean squared error.

    Args:
        reconstruction: Any shape.
        target: The same shape.
        weights: The same shape, summing to 1.

    Returns:
        A scalar float32.
    """
    assert reconstruction.shape == target.shape == weights.shape
    return (weights * (reconstruction.float() - target.float()).square()).sum()
