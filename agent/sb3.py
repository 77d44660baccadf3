"""The encoder as a features extractor of Stable-Baselines3."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Self

import gymnasium as gym
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from agent.actor_critic import ActorCritic


def encoder_policy_kwargs(model: ActorCritic, *, frozen: bool = True) -> dict[str, Any]:
    """What an algorithm with ``CnnPolicy`` takes as ``policy_kwargs`` to see through our encoder.

    Args:
        model: Its encoder and normalisation are copied: those of a checkpoint
            (``load_trained(path).model``), of a deployed policy (``.network``) or fresh ones.
        frozen: Keep the encoder as it is; else the algorithm trains it on.
    """
    return {
        "features_extractor_class": EncoderFeatures,
        "features_extractor_kwargs": {"model": model, "frozen": frozen},
        "normalize_images": False,  # the encoder does that itself
    }


class EncoderFeatures(BaseFeaturesExtractor):
    """Observations (B, C, H, W), grey levels, to the encoder's latent (B, latent_dim).

    Channels come first, which Stable-Baselines3 recognises; it transposes nothing.
    """

    def __init__(
        self, observation_space: gym.Space[Any], model: ActorCritic, frozen: bool = True
    ) -> None:
        """Copy the encoder of ``model``, so that two extractors never share one.

        Raises:
            ValueError: If the observations are not what the encoder was built for.
        """
        expected = model.decoder.obs_shape
        if observation_space.shape != expected:
            raise ValueError(f"observations must be {expected}, got {observation_space.shape}")
        super().__init__(observation_space, model.config.encoder.latent_dim)
        self.normalizer = deepcopy(model.normalizer)
        self.encoder = deepcopy(model.encoder).requires_grad_(not frozen)

    def forward(self, observations: Tensor) -> Tensor:
        """(B, C, H, W) float32, grey levels 0..255, to (B, latent_dim) in -1..1.

        Raises:
            ValueError: If Stable-Baselines3 has divided the observations by 255.
        """
        if (observations[:1] % 1).any():
            raise ValueError("observations must be grey levels: give normalize_images=False")
        pixels = observations.contiguous(memory_format=torch.channels_last)
        return self.encoder(self.normalizer(pixels))

    def apply(self, fn: Callable[[nn.Module], None]) -> Self:  # noqa: ARG002
        """Do nothing: Stable-Baselines3 would initialise the trained layers anew by it."""
        return self
