"""Grey levels to normalised units and back."""

import torch
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Subtracts the mean image and divides by one standard deviation; both are buffers.

    Without the mean image the autoencoder learns the mean image and nothing else. The standard
    deviation is one number over all pixels, because a pixel that hardly ever changes would
    otherwise blow up, and it has a floor, because the first frames of every game are identical.
    """

    mean: Tensor
    variance: Tensor
    std: Tensor
    count: Tensor

    STD_FLOOR = 8.0
    """Grey levels. An empty floor has none; ten per cent of a frame in motion has about 30."""

    def __init__(self, height: int, width: int) -> None:
        """Start with a mid-grey mean image and no evidence."""
        super().__init__()
        self.register_buffer("mean", torch.full((height, width), 128.0))
        self.register_buffer("variance", torch.zeros(height, width))
        # The floored standard deviation in grey levels, a scalar.
        self.register_buffer("std", torch.tensor(self.STD_FLOOR))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, frames: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Grey levels (B, ..., H, W) to normalised units of type ``dtype``, strides kept.

        Bfloat16 holds every grey level exactly; what it rounds is the mean image, alike for all
        frames.
        """
        scale = 1 / self.std
        # In the layout of the frames, the mean image is subtracted several times as fast. It is
        # expanded by hand because a copy in ONNX keeps the shape of its source.
        offset = (-self.mean * scale).expand_as(frames[:1])
        offset = torch.empty_like(frames[:1], dtype=dtype).copy_(offset)
        return torch.addcmul(offset, frames.to(dtype), scale.to(dtype))

    def denormalize(self, frames: Tensor) -> Tensor:
        """Normalised units (..., H, W) to grey levels float32, neither rounded nor cut."""
        return frames.float() * self.std + self.mean

    @torch.no_grad()
    def update(self, frames: Tensor) -> None:
        """Take a batch of frames, (B, H, W) uint8, into the running moments.

        Merges two sets of moments exactly: Chan, Golub & LeVeque (1979), "Updating formulae and a
        pairwise algorithm for computing sample variances".
        """
        batch = frames.float()
        size = batch.shape[0]
        total = self.count + size
        share = (size / total).float()
        mean = batch.mean(dim=0)
        delta = mean - self.mean
        self.variance.copy_(
            (1 - share) * self.variance
            + share * (batch - mean).square_().mean(dim=0)  # batch.var is four times as slow
            + share * (1 - share) * delta.square()
        )
        self.std.copy_(self.variance.mean().sqrt().clamp(min=self.STD_FLOOR))
        self.mean += share * delta
        self.count.copy_(total)
