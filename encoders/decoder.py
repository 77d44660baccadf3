"""A decoder that draws sums of outer products, and their exact loss without a map of weights."""

from dataclasses import dataclass
from typing import Annotated, Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from encoders.artifact_weights import LEFT_OUT, ArtifactWeightsConfig, ReconstructionLoss
from settings import Checked, Within


@dataclass(frozen=True)
class DecoderConfig(Checked):
    """Size of the decoder."""

    units: Annotated[int, Within(1, 4096)] = 256
    """Hidden units for each frame."""
    rank: Annotated[int, Within(1, 64)] = 16
    """Outer products of which an image is made."""


class Decoder(nn.Module):
    """Latent (B, Z) to images (B, C, H, W), each a sum of outer products.

    A hidden layer has ``units`` for each of the C frames. One linear layer, the same for all
    frames, turns them into ``rank`` pairs of profiles, one along the height and one along the
    width. An image is the sum of their outer products. A small artifact is one such pair: it
    appears where its two profiles peak, to the pixel, where a convolutional decoder draws a smear.
    Because the frames share the layer that makes profiles, an artifact in one of them trains it for
    all. All arithmetic but the last sum is on H + W numbers instead of H * W.
    """

    def __init__(
        self, obs_shape: tuple[int, int, int], latent_dim: int, config: DecoderConfig
    ) -> None:
        """Build for observations (C, H, W) and latents (B, ``latent_dim``)."""
        super().__init__()
        self.obs_shape, self.rank = obs_shape, config.rank
        frames, height, width = obs_shape
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, frames * config.units),
            nn.ReLU(),
            nn.Unflatten(1, (frames, config.units)),
            nn.Linear(config.units, config.rank * (height + width)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """(B, Z) to (B, C, H, W) in normalised units."""
        columns, rows = self.profiles(latent)
        return torch.bmm(columns.mT, rows).view(-1, *self.obs_shape)

    def loss(
        self, latent: Tensor, target: Tensor, regions: Tensor, config: ArtifactWeightsConfig
    ) -> ReconstructionLoss:
        """Error of the images under ``artifact_weights``.

        Args:
            latent: (B, Z).
            target: (B, C, H, W) in normalised units, of the type in which the layers compute.
            regions: (B, C, H, W) uint8, non-zero in artifact regions.
            config: The weights.
        """
        columns, rows = self.profiles(latent)
        # An autocast of the caller is for the layers. The loss chooses its own types.
        with torch.autocast(latent.device.type, enabled=False):
            return outer_product_loss(columns, rows, target, regions, config)

    def profiles(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, Z) to column profiles (B * C, rank, H) and row profiles (B * C, rank, W)."""
        _, height, width = self.obs_shape
        profiles = self.layers(latent).view(-1, self.rank, height + width)
        columns, rows = profiles.split((height, width), dim=2)
        return columns, rows


def outer_product_loss(
    columns: Tensor, rows: Tensor, target: Tensor, regions: Tensor, config: ArtifactWeightsConfig
) -> ReconstructionLoss:
    """``weighted_mse`` under ``artifact_weights`` of images that are sums of outer products.

    The result is that of the dense functions but for rounding, in half of the time. The dense
    functions are limited by memory traffic; here all pixels of a frame outside of artifact regions
    share one weight, so there is no map of weights. The images are made once, overwritten by their
    error and freed when the gradient of the profiles is known.

    Args:
        columns: (B * C, rank, H) profiles, float32 or bfloat16; an image is the sum of the outer
            products of its columns and rows. Images are made in this type, sums in float32.
        rows: (B * C, rank, W) profiles of the same type.
        target: (B, C, H, W) of the same type.
        regions: (B, C, H, W) uint8, non-zero in artifact regions, ``LEFT_OUT`` where no error
            counts.
        config: The weights and the cap.

    Returns:
        The loss and its unweighted counterpart.
    """
    stack, pixels = target.shape[1], target[0, 0].numel()
    target, regions = target.flatten(0, 1), regions.flatten(0, 1)  # (F, H, W), F = B * C
    assert columns.shape[1:] == (rows.shape[1], target.shape[1])
    assert columns.dtype == rows.dtype == target.dtype
    assert len(columns) == len(rows) == len(target) == len(regions)
    marked = regions.flatten(1).any(dim=1).nonzero().flatten()  # (M,) frames
    left_out = regions[marked] == LEFT_OUT
    in_region = (regions[marked] != 0) & ~left_out
    # How many pixels of a frame are in regions, beside them, and in a frame without any.
    left, inside = left_out.flatten(1).sum(dim=1), in_region.flatten(1).sum(dim=1)
    others = pixels - left - inside
    has_artifact = inside > 0  # if not, all there is is left out
    counts = target.new_zeros(len(target), 3, dtype=torch.float32)
    counts[:, 2] = pixels
    counts[marked] = torch.stack([inside, others * has_artifact, others * ~has_artifact], 1).float()
    weights = counts.new_tensor([config.artifact, 1.0, config.empty]).repeat(len(target), 1)
    weights[stack - 1 :: stack] *= config.newest
    weights = weights.clamp(max=config.cap * (weights * counts).sum() / regions.numel())
    total = (weights * counts).sum()
    weights /= total
    artifact, beside, empty = weights[marked, :, None, None].unbind(dim=1)
    factor = torch.where(
        in_region, artifact, torch.where(has_artifact[:, None, None], beside, empty)
    )
    factor = (factor / empty).masked_fill_(left_out, 0.0)
    weighted, unweighted = cast(
        tuple[Tensor, Tensor],
        _OuterProductError.apply(columns, rows, target, weights[:, 2], marked, factor),
    )
    return ReconstructionLoss(weighted, unweighted, total)


class _OuterProductError(torch.autograd.Function):
    """Squared errors of outer products, with a weight for each frame and a map for some frames."""

    @staticmethod
    def forward(
        ctx: Any,
        columns: Tensor,
        rows: Tensor,
        target: Tensor,
        weights: Tensor,  # (F,)
        marked: Tensor,  # (M,) int64, frames
        factor: Tensor,  # (M, H, W), on the weight of these frames
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
