"""The convolutional encoder that actor, critic and decoder share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from encoders.experts import Experts
from encoders.resnet import BACKBONES, BackboneName, ResNet
from settings import Checked, Within


@dataclass(frozen=True)
class EncoderConfig(Checked):
    """Size of the encoder."""

    latent_dim: Annotated[int, Within(1, 1024)] = 64
    """Units of the tanh layer between encoder and everything else."""
    channels: Annotated[tuple[int, int], Within(1, 256)] = (8, 32)
    """Output channels of the two convolutions."""
    backbone: BackboneName = ""
    """First stages of a ResNet in place of the two convolutions."""
    frozen_backbone: bool = False
    """Leave its weights as they are; the tanh layer behind it learns."""


class Encoder(nn.Module):
    """Normalised observations (B, C, H, W) to a tanh latent (B, Z)."""

    def __init__(
        self, obs_shape: tuple[int, int, int], config: EncoderConfig, experts: int = 1
    ) -> None:
        """Build for observations (C, H, W), with the convolutions ``experts`` times.

        Raises:
            ValueError: If H or W is no multiple of 8.
        """
        super().__init__()
        frames, height, width = obs_shape
        if height % 8 or width % 8:
            raise ValueError(f"height and width must be multiples of 8, got {height} x {width}")
        first, second = config.channels

        def convolutions() -> nn.Module:
            if config.backbone:
                return ResNet(config.backbone, frames, frozen=config.frozen_backbone)
            return nn.Sequential(
                nn.Conv2d(frames, first, 4, stride=4),
                nn.ReLU(),
                nn.Conv2d(first, second, 4, stride=2, padding=1),
                nn.ReLU(),
            )

        self.convolutions = convolutions() if experts == 1 else Experts(experts, convolutions)
        if config.backbone:
            second = BACKBONES[config.backbone].channels
        features = experts * second * (height // 8) * (width // 8)
        self.latent = nn.Linear(features, config.latent_dim)

    def load_backbone(self, path: Path) -> None:
        """Take a backbone's weights from a file.

        Raises:
            WeightsError: If it does not hold them.
        """
        for module in self.modules():
            if isinstance(module, ResNet):
                module.load(path)

    def forward(self, obs: Tensor, bins: Tensor | None = None) -> Tensor:
        """(B, C, H, W) normalised, best channels last, to (B, Z) in -1..1.

        Args:
            obs: Observations.
            bins: (B,) int64, which of the experts learns from each; all if left out.
        """
        features = self.convolutions(obs) if bins is None else self.convolutions(obs, bins)
        features = features.permute(0, 2, 3, 1)  # as they lie in memory: no copy
        return self.latent(features.flatten(1)).tanh()


def channels_last(obs: Tensor) -> Tensor:
    """(B, C, H, W) uint8 with the C grey levels of a pixel side by side in memory.

    Convolutions want it so. On a CPU OpenCV interleaves bytes ten times as fast as PyTorch does,
    but cannot be traced by an exporter.
    """
    if obs.is_contiguous(memory_format=torch.channels_last):
        return obs
    if obs.device.type != "cpu" or torch.compiler.is_exporting():
        return obs.contiguous(memory_format=torch.channels_last)
    count, frames, height, width = obs.shape
    planes = obs.numpy().reshape(count, frames, height * width)
    pixels = np.asarray(cv2.merge([planes[:, frame] for frame in range(frames)]), np.uint8)
    return torch.from_numpy(pixels).view(count, height, width, frames).permute(0, 3, 1, 2)
