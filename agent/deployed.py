"""A trained policy with all that it takes to act elsewhere, from a directory or from the Hub."""

from dataclasses import asdict
from typing import Any, NamedTuple, Self

import cattrs
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from agent.actor_critic import ActorCritic
from agent.deployed_config import DeployedConfig
from agent.model_card import model_card


class PolicyOutput(NamedTuple):
    """What a policy makes of a batch of observations; the fields also name the ONNX outputs."""

    probabilities: Tensor
    """(B, A) float32, of the actions; they sum to 1."""
    value: Tensor
    """(B,) float32, expected discounted return in the units of the learner's rewards."""
    latent: Tensor
    """(B, Z) float32 in -1..1, all that actor, critic and decoder know."""
    reconstruction: Tensor
    """(B, C, H, W) float32, the observations as the decoder draws them: grey levels 0..255."""


class DeployedPolicy(nn.Module, PyTorchModelHubMixin):
    """An ActorCritic in float32 and without OpenCV, so that it can be traced.

    ``save_pretrained`` writes ``model.safetensors``, ``config.json`` and a model card into a
    directory; ``from_pretrained`` reads them from there or from the Hugging Face Hub.
    """

    def __init__(self, config: DeployedConfig) -> None:
        """Build with fresh weights."""
        super().__init__()
        self.config = config
        self.network = ActorCritic(config.obs_shape, config.num_actions, config.model)

    def forward(self, obs: Tensor) -> PolicyOutput:
        """Observations (B, C, H, W) uint8 to what the network makes of them."""
        net = self.network
        # The normaliser's own arithmetic is laid out for speed, in a way that ONNX cannot say.
        mean, std = net.normalizer.mean, net.normalizer.std
        latent = net.encoder((obs - mean) / std)
        return PolicyOutput(
            net.actor(latent).softmax(dim=-1),
            net.critic(latent).squeeze(-1),
            latent,
            (net.decoder(latent) * std + mean).clamp(0, 255),
        )

    def generate_model_card(self, *_: Any, **__: Any) -> ModelCard:
        """The card that ``save_pretrained`` writes; all it says is from the config."""
        return model_card(self.config)

    @classmethod
    def _from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, *, config: DeployedConfig, strict: bool = True, **arguments: Any
    ) -> Self:
        """As in the base class, with what its authors left to do.

        It structures the outermost level of the config only, and without ``strict`` it would pass
        over missing tensors, so that a policy could be part untrained without a word.
        """
        whole = cattrs.structure(asdict(config), DeployedConfig)
        return super()._from_pretrained(config=whole, strict=strict, **arguments)
