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
            (``load_agent(path).model``), of an exported policy (``.network``) or fresh ones.
        frozen: Keep the encoder as it is; else the algorithm trains it on.
    """
    return {
        "features_extractor_class": EncoderFeatures,
        "features_extractor_kwargs": {"model": model, "frozen": frozen},
        "normalize_images": False,  # the encoder does that itself
    }


class EncoderFeatures(BaseFeaturesExtractor):
    """Observations (B, C, H, W), grey levels, to the encoder's latent (B, Z).

    Channels come first, which Stable-Baselines3 recognises; it transposes nothing.
    """

    def __init__(
        self, observation_space: gym.Space[Any], model: ActorCritic, frozen: bool = True
    ) -> None:
        """Copy the autoencoder of ``model``, so that no two extractors share one.

        Raises:
            ValueError: If the observations are not what the encoder was built for.
        """
        expected = model.autoencoder.obs_shape
        if observation_space.shape != expected:
            raise ValueError(f"observations must be {expected}, got {observation_space.shape}")
        super().__init__(observation_space, model.autoencoder.latent_dim)
        self.autoencoder = deepcopy(model.autoencoder).requires_grad_(False)
        self.autoencoder.encoder.requires_grad_(not frozen)

    def forward(self, observations: Tensor) -> Tensor:
        """(B, C, H, W) float32, grey levels 0..255, to (B, Z) in -1..1.

        Raises:
            ValueError: If Stable-Baselines3 has divided the observations by 255.
        """
        if (observations[:1] % 1).any():
            raise ValueError("observations must be grey levels: give normalize_images=False")
        return self.autoencoder.encode(observations.to(torch.uint8))

    def apply(self, fn: Callable[[nn.Module], None]) -> Self:  # noqa: ARG002
        """Do nothing: Stable-Baselines3 calls it to give every layer fresh weights."""
        return self
