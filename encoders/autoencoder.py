"""The autoencoder: grey levels to a latent, and back to grey levels."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from encoders.artifact_weights import ArtifactWeightsConfig, leave_out, pixel_weights
from encoders.decoder import Decoder, DecoderConfig
from encoders.encoder import Encoder, EncoderConfig, channels_last
from encoders.experts import Bins
from encoders.locator import Locator, LocatorConfig, artifacts_of, location_loss
from encoders.normalizer import Normalizer
from encoders.regions import RegionFinder
from encoders.sprites import Sprites
from encoders.tracks import UNITS, Points, from_units, to_units


@dataclass(frozen=True)
class AutoencoderConfig:
    """The autoencoder's parts and arithmetic."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    bfloat16: bool = True
    """Run encoder and decoder in bfloat16 where the processor has it in hardware."""
    locator: LocatorConfig = field(default_factory=LocatorConfig)
    mask_channel: bool = False
    """Let the encoder read one channel more: 1 in the regions that the detector finds in the newest
    frame, 0 elsewhere."""


class AutoencoderLoss(NamedTuple):
    """What an autoencoder learns from, and how well it draws; scalars."""

    reconstruction: Tensor
    """Weighted mean squared error of the decoder's drawing."""
    artifacts: Tensor
    """Loss of the locator and of the sprites; 0 without them."""
    unweighted: Tensor
    """Mean squared error of the whole drawing, without gradient."""
    weight: Tensor | None = None
    """What the first one counts beside those of other batches."""


class Autoencoder(nn.Module):
    """Normaliser, encoder and decoder; all that others need to know of them.

    Small artifacts may have units of their own, beside those of the encoder's tanh layer and after
    them in the latent: a locator finds their places, tracks say what they did, sprites draw them,
    and their regions count nothing in the loss of the decoder. Gradients of policy, value and
    reconstruction do not reach them.

    Another encoder or decoder is another file, with the methods of the present one, and a line in
    ``__init__``.
    """

    def __init__(
        self,
        obs_shape: tuple[int, int, int],
        config: AutoencoderConfig,
        experts: int = 1,
    ) -> None:
        """Build for observations (C, H, W).

        Args:
            obs_shape: (C, H, W).
            config: Its parts.
            experts: How often the encoder has its convolutions: once for every bin of a variable
                in 0..1.

        Raises:
            ValueError: If the encoder cannot read images of this size.
        """
        super().__init__()
        self.obs_shape, self.config = obs_shape, config
        self.normalizer = Normalizer(*obs_shape[1:])
        self.bins = Bins.equal(0.0, 1.0, experts) if experts > 1 else None
        frames, height, width = obs_shape
        inputs = frames + config.mask_channel, height, width
        self.encoder = Encoder(inputs, config.encoder, experts)
        self.finder: RegionFinder | None = None
        """What makes the mask."""
        self.decoder = Decoder(obs_shape, config.encoder.latent_dim, config.decoder)
        self.track_units = UNITS * config.locator.count
        self.latent_dim = config.encoder.latent_dim + self.track_units
        self.locator = Locator(config.locator) if self.track_units else None
        self.sprites = Sprites(obs_shape[1:]) if self.track_units else None
        # Channels last is twice as fast on a CPU; PyTorch's stubs do not know this overload.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def fit_normalizer(self, frames: Tensor) -> None:
        """Take frames (B, H, W) uint8 into the mean image and the standard deviation."""
        self.normalizer.update(frames)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters: ``artifacts``, which only the loss of that name trains, and the others.

        The others are called ``autoencoder``.
        """
        groups: dict[str, list[nn.Parameter]] = {"autoencoder": [], "artifacts": []}
        for name, parameter in self.named_parameters():
            apart = name.startswith(("locator.", "sprites."))
            groups["artifacts" if apart else "autoencoder"].append(parameter)
        return groups

    def encode(self, obs: Tensor, tracks: Tensor | None = None, x: Tensor | None = None) -> Tensor:
        """Observations (B, C, H, W) uint8 to latents (B, Z) float32 in -1..1.

        Args:
            obs: Observations.
            tracks: (B, U), if it is already known, what ``track`` makes of their frames.
            x: (B,), the variable that says which expert learns from each; the latents do not
                depend on it.

        Raises:
            ValueError: If there is a mask channel and no ``finder``.
        """
        device = obs.device.type
        normalized = self.normalizer(channels_last(obs), self._dtype(device))
        if self.config.mask_channel:
            channel = (self._regions(obs) != 0)[:, None].to(normalized)
            normalized = torch.cat([normalized, channel], dim=1)
        with self._autocast(device):
            bins = self.bins(x) if self.bins and x is not None else None
            latent = self.encoder(normalized, bins).float()
        if not self.locator:
            return latent
        return torch.cat(
            [latent, self.track(self.locate(obs)) if tracks is None else tracks], dim=1
        )

    @torch.no_grad()
    def locate(self, frames: Tensor) -> Points:
        """Frames (B, C, H, W) uint8, any C, to the places of the artifacts in each, (B, C, K)."""
        assert self.locator
        points = self.locator.points(self.locator(self.normalizer(frames.flatten(0, 1))))
        return Points(*(part.unflatten(0, frames.shape[:2]) for part in points))

    def track(self, points: Points) -> Tensor:
        """Places in the frames of observations, (B, C, K), to the units of tracks, (B, U)."""
        return to_units(points, self.obs_shape[1:])

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, Z) to images (B, C, H, W) float32 in normalised units."""
        own, tracks = self.split(latent)
        with self._autocast(latent.device.type):
            images = self.decoder(own)
        return images.float() + (self.sprites(self._points(tracks)) if self.sprites else 0.0)

    def draw(self, latent: Tensor) -> Tensor:
        """Latents (B, Z) to images (B, C, H, W) float32 in grey levels, neither rounded nor cut."""
        return self.normalizer.denormalize(self.decode(latent))

    @torch.no_grad()
    def reconstruct(self, obs: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 to their reconstructions, grey levels uint8."""
        return self.draw(self.encode(obs)).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def newest_weights(
        self, obs: Tensor, regions: Tensor, weights: ArtifactWeightsConfig
    ) -> Tensor:
        """How much the newest frames' pixels count in the loss of the decoder.

        Args:
            obs: (B, C, H, W) uint8.
            regions: (B, H, W) uint8, a label in each artifact's region, 0 elsewhere.
            weights: Weights of their pixels and of the others.

        Returns:
            (B, H, W) float32, 1 in the region of an artifact that has no track, 0 where sprites
            draw.
        """
        newest = regions[:, None]
        if self.sprites:
            points = self._points(self.track(self.locate(obs)))
            newest = leave_out(newest, Points(*(part[:, -1:] for part in points)))
        return pixel_weights(newest, weights)[:, 0] / (weights.artifact * weights.newest)

    def loss(
        self, latent: Tensor, obs: Tensor, regions: Tensor, weights: ArtifactWeightsConfig
    ) -> AutoencoderLoss:
        """Error of what is drawn, under ``artifact_weights``, and of what is said of artifacts.

        Args:
            latent: (B, Z), of ``obs``; gradients flow into the encoder's own units.
            obs: (B, C, H, W) uint8, what should be drawn.
            regions: (B, C, H, W) uint8, a label in each artifact's region, 0 elsewhere.
            weights: Weights of their pixels and of the others.
        """
        device = latent.device.type
        target = self.normalizer(obs, self._dtype(device))
        own, tracks = self.split(latent)
        artifacts = target.new_zeros(())
        if self.sprites:
            newest = target[:, -1].to(torch.float32, copy=True)  # the target will change
            artifacts = self._artifact_loss(newest, regions[:, -1])
            points = self._points(tracks)
            regions = leave_out(regions, points)
            # What the sprites draw is not the decoder's to draw.
            which = points.present.flatten(0, 1).any(dim=1).nonzero()[:, 0]
            with torch.no_grad():
                drawn = self.sprites(Points(*(part.flatten(0, 1)[which] for part in points)))
            target.flatten(0, 1).index_add_(0, which, -drawn.to(target.dtype))
        with self._autocast(device):
            drawn = self.decoder.loss(own, target, regions, weights)
        return AutoencoderLoss(drawn.weighted, artifacts, drawn.unweighted, drawn.weight)

    def _artifact_loss(self, frames: Tensor, regions: Tensor) -> Tensor:
        """Of frames (B, H, W) float32 in normalised units, with labelled regions (B, H, W).

        All of it is in float32, which is faster in so small a network, and exact.
        """
        assert self.locator
        assert self.sprites
        artifacts = artifacts_of(regions)
        location = location_loss(self.locator(frames), artifacts)
        return location + self.sprites.loss(frames, regions, artifacts)

    def split(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, Z) to the units of the encoder's tanh layer and those of the tracks."""
        own = self.config.encoder.latent_dim
        return latent[:, :own], latent[:, own:]

    def _regions(self, obs: Tensor) -> Tensor:
        if not self.finder:
            raise ValueError("an encoder with a mask channel needs a finder")
        return torch.from_numpy(self.finder(obs.cpu().numpy())).to(obs.device)

    def _points(self, tracks: Tensor) -> Points:
        frames, *size = self.obs_shape
        return from_units(tracks.detach(), frames, (size[0], size[1]))

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
