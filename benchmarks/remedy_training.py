"""Trains the product's autoencoder on recorded frames with one of the compared remedies."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.remedies import Remedy
from benchmarks.scene import Scene
from encoders import (
    ArtifactWeightsConfig,
    Autoencoder,
    AutoencoderConfig,
    EncoderConfig,
    LocatorConfig,
)
from envs import STACK

BATCH = 32
LEARNING_RATE, WARM_UP = 6e-3, 100
"""Adam's step size rises over ``WARM_UP`` steps and falls linearly to zero."""
MAX_GRAD_NORM = 1.0


class Trained(NamedTuple):
    """An autoencoder, and how its training went."""

    model: Autoencoder
    std: float
    """How many grey levels one normalised unit is by default, whatever the remedy makes of it."""
    clipped: float
    """Share of the steps whose gradient was longer than ``MAX_GRAD_NORM``."""


def train_autoencoder(train: Scene, remedy: Remedy, seed: int, samples: int) -> Trained:
    """Train on ``samples`` observations, drawn at random from ``seed``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    # The autoencoder of the product, but in float32: not every processor has bfloat16.
    locator, encoder = LocatorConfig(count=remedy.tracks), EncoderConfig(remedy.latent_dim)
    obs_shape = STACK, *train.frames.shape[1:]
    model = Autoencoder(obs_shape, AutoencoderConfig(encoder, bfloat16=False, locator=locator))
    model.fit_normalizer(torch.from_numpy(train.frames[::4]))
    std = model.normalizer.std.item()
    if remedy.normalize:
        remedy.normalize(model.normalizer)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=1e-5, fused=True)
    limited = model.parameter_groups()["autoencoder"]  # what finds artifacts needs no limit
    has_artifact = np.asarray(train.regions.any(axis=(1, 2)), np.bool_)
    any_artifact = train.stacks[has_artifact[train.stacks].any(axis=1)]
    stacks = np.concatenate([train.stacks, *[any_artifact] * (remedy.oversampling - 1)])
    steps, clipped = samples // BATCH, 0
    for step in range(steps):
        rate = LEARNING_RATE * (1 - step / steps) * min(1.0, (step + 1) / WARM_UP)
        optimizer.param_groups[0]["lr"] = rate
        rows = stacks[rng.integers(len(stacks), size=BATCH)]
        obs, regions = torch.from_numpy(train.frames[rows]), torch.from_numpy(train.regions[rows])
        optimizer.zero_grad()
        _loss(model, remedy, obs, regions).backward()
        clipped += bool(nn.utils.clip_grad_norm_(limited, MAX_GRAD_NORM) > MAX_GRAD_NORM)
        optimizer.step()
    return Trained(model, std, clipped / steps)


def _loss(model: Autoencoder, remedy: Remedy, obs: Tensor, regions: Tensor) -> Tensor:
    latent = model.encode(obs)
    if not remedy.loss:
        loss = model.loss(latent, obs, regions, ArtifactWeightsConfig())
        return loss.reconstruction + loss.artifacts
    error = (model.decode(latent) - model.normalizer(obs)).square()
    frames = error.new_ones(STACK)
    frames[-1] = ArtifactWeightsConfig().newest
    return remedy.loss(error * (frames / frames.mean())[:, None, None], obs, regions)


@torch.no_grad()
def encode(model: Autoencoder, scene: Scene) -> Tensor:
    """Latents of all observations, (T, Z)."""
    starts = range(0, len(scene.stacks), 256)
    rows = [scene.stacks[start : start + 256] for start in starts]
    return torch.cat([model.encode(torch.from_numpy(scene.frames[row])) for row in rows])


@torch.no_grad()
def draw_frames(model: Autoencoder, latents: Tensor) -> NDArray[np.float32]:
    """All frames, (T, 4, H, W) in grey levels, as the decoder draws them from (T, Z)."""
    return model.draw(latents).numpy()


@torch.no_grad()
def draw_newest(model: Autoencoder, latents: Tensor) -> NDArray[np.float32]:
    """The newest frames, (T, H, W) in grey levels, as the decoder draws them from (T, Z)."""
    return torch.cat([model.draw(part)[:, -1] for part in torch.split(latents, 256)]).numpy()
