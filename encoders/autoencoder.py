"""The encoder that actor, critic and decoder share, and the decoder that draws from its latent."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class EncoderConfig:
    """Size of the encoder and of the decoder behind it."""

    latent_dim: int = 64
    """Units of the tanh layer between encoder and everything else."""
    channels: tuple[int, int] = (8, 32)
    """Output channels of the two convolutions."""
    decoder_units: int = 256
    """Hidden units of the decoder for each frame."""
    rank: int = 16
    """Outer products of which the decoder makes an image."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        for name, highest in (("latent_dim", 1024), ("decoder_units", 4096), ("rank", 64)):
            if not 1 <= getattr(self, name) <= highest:
                raise ValueError(f"{name} must be from 1 to {highest}, got {getattr(self, name)}")
        if not 1 <= min(self.channels) <= max(self.channels) <= 256:
            raise ValueError(f"channels must each be from 1 to 256, got {self.channels}")


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
        # In the layout of the frames, the mean image is subtracted several times as fast.
        offset = torch.empty_like(frames[:1], dtype=dtype).copy_(-self.mean * scale)
        return torch.addcmul(offset, frames.to(dtype), scale.to(dtype))

    def denormalize(self, frames: Tensor) -> Tensor:
        """Normalised units (..., H, W) to grey levels uint8, rounded and cut to 0..255."""
        return (frames.float() * self.std + self.mean).round().clamp(0, 255).to(torch.uint8)

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


def channels_last(obs: Tensor) -> Tensor:
    """(B, C, H, W) uint8 with the C grey levels of a pixel side by side in memory.

    Convolutions want it so. On a CPU OpenCV interleaves bytes ten times as fast as PyTorch does.
    """
    if obs.device.type != "cpu":
        return obs.contiguous(memory_format=torch.channels_last)
    count, frames, height, width = obs.shape
    planes = obs.numpy().reshape(count, frames, height * width)
    pixels = np.asarray(cv2.merge([planes[:, frame] for frame in range(frames)]), np.uint8)
    return torch.from_numpy(pixels).view(count, height, width, frames).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """Normalised observations (B, C, H, W) to a tanh latent (B, latent_dim)."""

    def __init__(self, obs_shape: tuple[int, int, int], config: EncoderConfig) -> None:
        """Build for observations (C, H, W); H and W must be multiples of 8."""
        super().__init__()
        frames, height, width = obs_shape
        if height % 8 or width % 8:
            raise ValueError(f"height and width must be multiples of 8, got {height} x {width}")
        first, second = config.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(frames, first, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.ReLU(),
        )
        self.latent = nn.Linear(second * (height // 8) * (width // 8), config.latent_dim)

    def forward(self, obs: Tensor) -> Tensor:
        """(B, C, H, W) normalised, best channels last, to (B, latent_dim) in -1..1."""
        features = self.convolutions(obs).permute(0, 2, 3, 1)  # as they lie in memory: no copy
        return self.latent(features.flatten(1)).tanh()


class Decoder(nn.Module):
    """Latent (B, latent_dim) to images (B, C, H, W), each a sum of outer products.

    A hidden layer has ``decoder_units`` for each of the C frames, and one linear layer, the same
    for all frames, turns them into ``rank`` pairs of profiles, one along the height and one along
    the width; an image is the sum of their outer products. A thrown knife is one such pair: it
    appears where its two profiles peak, at the resolution of a pixel however small it is, whereas a
    convolutional decoder draws it as a smear. Because the frames share the layer that makes
    profiles, a knife in one of them trains it for all. All arithmetic but the last sum is on H + W
    numbers instead of H * W.
    """

    def __init__(self, obs_shape: tuple[int, int, int], config: EncoderConfig) -> None:
        """Build for observations (C, H, W)."""
        super().__init__()
        self.obs_shape, self.rank = obs_shape, config.rank
        frames, height, width = obs_shape
        self.layers = nn.Sequential(
            nn.Linear(config.latent_dim, frames * config.decoder_units),
            nn.ReLU(),
            nn.Unflatten(1, (frames, config.decoder_units)),
            nn.Linear(config.decoder_units, config.rank * (height + width)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """(B, latent_dim) to (B, C, H, W) in normalised units."""
        columns, rows = self.profiles(latent)
        return torch.bmm(columns.mT, rows).view(-1, *self.obs_shape)

    def profiles(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Latent (B, latent_dim) to column (B * C, rank, H) and row profiles (B * C, rank, W)."""
        _, height, width = self.obs_shape
        profiles = self.layers(latent).view(-1, self.rank, height + width)
        columns, rows = profiles.split((height, width), dim=2)
        return columns, rows
