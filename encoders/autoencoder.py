"""The autoencoder: grey levels to a latent, and back to grey levels."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor, nn

from encoders.artifact_weights import ArtifactWeightsConfig, ReconstructionLoss
from encoders.decoder import Decoder, DecoderConfig
from encoders.encoder import Encoder, EncoderConfig, channels_last
from encoders.normalizer import Normalizer


@dataclass(frozen=True)
class AutoencoderConfig:
    """The autoencoder's parts and arithmetic."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    bfloat16: bool = True
    """Run encoder and decoder in bfloat16 where the processor has it in hardware."""


class Autoencoder(nn.Module):
    """Normaliser, encoder and decoder; all that others need to know of them.

    Another encoder or decoder is another file, with the methods of the present one, and a line in
    ``__init__``.
    """

    def __init__(self, obs_shape: tuple[int, int, int], config: AutoencoderConfig) -> None:
        """Build for observations (C, H, W).

        Raises:
            ValueError: If the encoder cannot read images of this size.
        """
        super().__init__()
        self.obs_shape, self.config = obs_shape, config
        self.latent_dim = config.encoder.latent_dim
        self.normalizer = Normalizer(*obs_shape[1:])
        self.encoder = Encoder(obs_shape, config.encoder)
        self.decoder = Decoder(obs_shape, self.latent_dim, config.decoder)
        # Channels last is twice as fast on a CPU; PyTorch's stubs do not know this overload.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def fit_normalizer(self, frames: Tensor) -> None:
        """Take frames (B, H, W) uint8 into the mean image and the standard deviation."""
        self.normalizer.update(frames)

    def encode(self, obs: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 to latents (B, Z) float32 in -1..1."""
        device = obs.device.type
        normalized = self.normalizer(channels_last(obs), self._dtype(device))
        with self._autocast(device):
            latent = self.encoder(normalized)
        return latent.float()

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, Z) to images (B, C, H, W) float32 in normalised units."""
        with self._autocast(latent.device.type):
            images = self.decoder(latent)
        return images.float()

    def draw(self, latent: Tensor) -> Tensor:
        """Latents (B, Z) to images (B, C, H, W) float32 in grey levels, neither rounded nor cut."""
        return self.normalizer.denormalize(self.decode(latent))

    @torch.no_grad()
    def reconstruct(self, obs: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 to their reconstructions, grey levels uint8."""
        return self.draw(self.encode(obs)).round().clamp(0, 255).to(torch.uint8)

    def loss(
        self, latent: Tensor, obs: Tensor, regions: Tensor, weights: ArtifactWeightsConfig
    ) -> ReconstructionLoss:
        """Error of what the decoder draws, under ``artifact_weights``.

        Args:
            latent: (B, Z), of ``obs``; gradients flow into it.
            obs: (B, C, H, W) uint8, what should be drawn.
            regions: (B, C, H, W) uint8, non-zero in artifact regions.
            weights: Weights of their pixels and of the others.
        """
        device = latent.device.type
        target = self.normalizer(obs, self._dtype(device))
        with self._autocast(device):
            return self.decoder.loss(latent, target, regions, weights)

    def _autocast(self, device: str) -> AbstractContextManager[object]:
        dtype = self._dtype(device)
        return nullcontext() if dtype == torch.float32 else torch.autocast(device, dtype)

    def _dtype(self, device: str) -> torch.dtype:
        """In which the layers compute on a device of this type."""
        return torch.bfloat16 if self.config.bfloat16 and has_bfloat16(device) else torch.float32


@cache
def has_bfloat16(device: str) -> bool:
    """Whether a device type ("cpu" or "cuda") computes in bfloat16 on this machine."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]
