"""Noise, shifts and changes of brightness on what an autoencoder sees while it learns."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from settings import Checked, Within


@dataclass(frozen=True)
class PerturbationConfig(Checked):
    """How much observations are perturbed before they are encoded to be drawn. 0 is not at all.

    Only the reconstruction learns from them: a policy that saw another picture than the one it
    acted on would learn from another ratio.
    """

    noise: Annotated[float, Within(0, 128)] = 0.0
    """Standard deviation of Gaussian noise on every pixel, in grey levels."""
    shift: Annotated[int, Within(0, 16)] = 0
    """Most pixels by which all frames of an observation are moved in each direction; what comes in
    repeats the edge (Kostrikov et al. 2020, "Image augmentation is all you need", DrQ)."""
    brightness: Annotated[float, Within(0, 128)] = 0.0
    """Most grey levels that are added to, or taken from, all pixels of an observation."""
    clean_target: bool = True
    """Draw what was there before (denoising), in place of what was shown."""

    @property
    def is_on(self) -> bool:
        """Whether anything is perturbed."""
        return bool(self.noise or self.shift or self.brightness)


class Perturbed(NamedTuple):
    """What the encoder is shown, and what the decoder should draw."""

    shown: Tensor
    """(B, C, H, W) uint8."""
    target: Tensor
    """(B, C, H, W) uint8."""
    regions: Tensor
    """(B, C, H, W) uint8, of the target."""


def perturb(obs: Tensor, regions: Tensor, config: PerturbationConfig) -> Perturbed:
    """Perturb observations; the random numbers are those of torch's global generator.

    Args:
        obs: (B, C, H, W) uint8.
        regions: (B, C, H, W) uint8, a label in each artifact's region, 0 elsewhere.
        config: By how much.
    """
    shown, moved = obs, regions
    if config.shift:
        shown, moved = _shifted(obs, regions, config.shift)
    if config.noise or config.brightness:
        levels = shown.float()
        levels += config.noise * torch.randn_like(levels)
        shape = len(obs), 1, 1, 1
        levels += config.brightness * (2 * torch.rand(shape, device=obs.device) - 1)
        shown = levels.round_().clamp_(0, 255).to(torch.uint8)
    if config.clean_target:
        return Perturbed(shown, obs, regions)
    return Perturbed(shown, shown, moved)


def _shifted(obs: Tensor, regions: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Observations and their regions, each by another number of pixels in either direction."""
    count, _, height, width = obs.shape
    down, right = torch.randint(0, 2 * most + 1, (2, count, 1), device=obs.device)
    rows = down + torch.arange(height, device=obs.device)  # (B, H)
    columns = right + torch.arange(width, device=obs.device)
    # Padding knows no bytes. A region that touches the edge goes on there, as its artifact does.
    both = torch.cat([obs, regions], dim=1).float()
    padded = functional.pad(both, (most, most, most, most), mode="replicate").to(torch.uint8)
    sample = torch.arange(count, device=obs.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None]]
    moved = moved.permute(0, 3, 1, 2)
    return moved[:, : obs.shape[1]].contiguous(), moved[:, obs.shape[1] :].contiguous()
