"""The product's autoencoder on recorded frames, trained with one of the compared remedies."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.arms import Arm
from benchmarks.judge import Scene
from encoders import Decoder, Encoder, EncoderConfig, Normalizer
from envs import OBSERVATION_SHAPE

BATCH = 32
LEARNING_RATE, WARM_UP = 3e-3, 100
"""Adam's step size rises over ``WARM_UP`` steps and falls linearly to zero."""
MAX_GRAD_NORM = 1.0


class Autoencoder(nn.Module):
    """The product's normalisation, encoder and decoder."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        """Build, with the normalisation fitted to ``frames``, (T, H, W) uint8."""
        super().__init__()
        self.normalizer = Normalizer(*OBSERVATION_SHAPE[1:])
        self.encoder = Encoder(OBSERVATION_SHAPE, EncoderConfig())
        self.decoder = Decoder(OBSERVATION_SHAPE, EncoderConfig())
        self.normalizer.update(torch.from_numpy(frames))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def encode(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) uint8 to what is to be drawn, (B, C, H, W), and latent (B, Z)."""
        target = self.normalizer(obs)
        return target, self.encoder(target.contiguous(memory_format=torch.channels_last))


def train_autoencoder(train: Scene, arm: Arm, seed: int, samples: int) -> Autoencoder:
    """Train on ``samples`` observations, drawn at random from ``seed``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Autoencoder(train.frames[::4])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=1e-5, fused=True)
    occupied = np.asarray(train.regions.any(axis=(1, 2)), np.bool_)
    shown = train.stacks[occupied[train.stacks].any(axis=1)]
    stacks = np.concatenate([train.stacks, *[shown] * (arm.oversampling - 1)])
    steps = samples // BATCH
    for step in range(steps):
        rate = LEARNING_RATE * (1 - step / steps) * min(1.0, (step + 1) / WARM_UP)
        optimizer.param_groups[0]["lr"] = rate
        rows = stacks[rng.integers(len(stacks), size=BATCH)]
        obs, regions = torch.from_numpy(train.frames[rows]), torch.from_numpy(train.regions[rows])
        target, latent = model.encode(obs)
        optimizer.zero_grad()
        error = (model.decoder(latent) - target).square()
        arm.loss(error, obs, regions).backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
    return model


@torch.no_grad()
def encode(model: Autoencoder, frames: Scene) -> Tensor:
    """Latents of all observations, (T, Z)."""
    starts = range(0, len(frames.stacks), 256)
    rows = [frames.stacks[start : start + 256] for start in starts]
    return torch.cat([model.encode(torch.from_numpy(frames.frames[row]))[1] for row in rows])


@torch.no_grad()
def draw_newest(model: Autoencoder, latents: Tensor) -> NDArray[np.float32]:
    """The newest frames, (T, H, W) in grey levels, as the decoder draws them from (T, Z)."""
    normalizer = model.normalizer
    drawn = [model.decoder(part)[:, -1] for part in torch.split(latents, 256)]
    return (torch.cat(drawn) * normalizer.std + normalizer.mean).numpy()
