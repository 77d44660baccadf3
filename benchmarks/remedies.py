"""The compared remedies: each is a loss, and how often observations with artifacts are drawn.

A loss takes ``error``, the squared error in normalised units, in which the newest frame counts as
much more as in training, float32; ``obs``, the frames in grey levels, uint8; and ``regions``, what
the detector finds in them, uint8; each (B, C, H, W). Every loss that weighs pixels divides by the
sum of the weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders import (
    ArtifactWeightsConfig,
    EncoderConfig,
    LocatorConfig,
    Normalizer,
    artifact_weights,
)
from envs import STACK
from envs.projection import BACKGROUND

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
ORIGIN = ArtifactWeightsConfig(artifact=10.0, empty=0.5, newest=1.0)
"""Weights of the first remedy."""
MARGIN = 2
"""Pixels by which objects are grown, as the detector grows artifacts."""
OBJECT_TOTAL = 500.0
"""Weight of a whole object: about that of a knife's region, 6 x 9 pixels of weight ten."""


def uniform(error: Tensor, obs: Tensor, regions: Tensor) -> Tensor:
    """Plain mean squared error."""
    del obs, regions
    return error.mean()


def origin(error: Tensor, obs: Tensor, regions: Tensor) -> Tensor:
    """The first remedy: artifacts count ten times, frames without any count half."""
    del obs
    return (artifact_weights(regions, ORIGIN) * error).sum()


def weighed(error: Tensor, obs: Tensor, regions: Tensor) -> Tensor:
    """The weights of ``train.py``, for all artifacts."""
    del obs
    return (artifact_weights(regions, ArtifactWeightsConfig(newest=1.0)) * error).sum()


def maximum(error: Tensor, obs: Tensor, regions: Tensor) -> Tensor:
    """Mean plus a hundredth of each sample's worst pixel.

    Both terms and the factor are those of delta-IRIS (Micheli et al. 2024,
    ``src/models/tokenizer/tokenizer.py``). Its absolute error is left out, because the factor of
    that term depends on the scale of the pixels.
    """
    del obs, regions
    return error.mean() + 0.01 * error.flatten(1).amax(dim=1).mean()


def objects(error: Tensor, obs: Tensor, regions: Tensor) -> Tensor:
    """Every connected object has the same total weight, but no pixel weighs less than 1."""
    del regions
    frames = obs.flatten(0, 1).numpy()
    weights = torch.from_numpy(np.stack([_object_weights(frame) for frame in frames]))
    weights = weights.view_as(error)
    return (weights * error).sum() / weights.sum()


def _object_weights(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weights of a frame (H, W): ``OBJECT_TOTAL`` divided by the object's area, at least 1."""
    side = 2 * MARGIN + 1
    foreground = cv2.dilate((frame != BACKGROUND).astype(np.uint8), np.ones((side, side), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(foreground)
    areas = np.asarray(stats, np.float32)[:, cv2.CC_STAT_AREA]
    weights = (OBJECT_TOTAL / areas).clip(min=1.0)
    weights[0] = 1.0  # the background is no object
    return weights[np.asarray(labels, np.int32)]


class Remedy(NamedTuple):
    """One remedy."""

    loss: Loss | None
    """What the autoencoder learns from; None for its own loss."""
    oversampling: int = 1
    """How many times as often as others an observation with an artifact is drawn."""
    tracks: int = 0
    """Artifacts that have units of their own."""
    latent_dim: int = EncoderConfig().latent_dim
    """Units of the encoder's tanh layer."""
    normalize: Callable[[Normalizer], None] | None = None
    """Changes the fitted normaliser in place, if it should be another one."""


REMEDIES: dict[str, Remedy] = {
    "uniform": Remedy(uniform),
    "origin": Remedy(origin),
    # Without tracks, training draws every fourth observation and each that shows an artifact.
    "weights": Remedy(weighed, oversampling=STACK),
    "default": Remedy(None, tracks=LocatorConfig().count),
    "maximum": Remedy(maximum),
    "objects": Remedy(objects),
}
