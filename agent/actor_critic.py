"""Actor, critic and decoder on one shared encoder."""

from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from encoders import Decoder, Encoder, EncoderConfig, Normalizer, channels_last


class Prediction(NamedTuple):
    """What one encoder pass yields."""

    policy: Categorical
    """Distribution over actions, batch shape (B,)."""
    value: Tensor
    """(B,) float32, expected discounted return in the units of the learner's rewards."""
    latent: Tensor
    """(B, Z) float32 in -1..1, the decoder's input."""


@dataclass(frozen=True)
class ActorCriticConfig:
    """The network and who may change its encoder."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """Size of the shared encoder."""
    branch_units: int = 128
    """Hidden units of the actor and of the critic, each with one such layer on the latent."""
    encoder_gradients: Literal["joint", "reconstruction"] = "joint"
    """Which losses train the encoder: all of them, or the reconstruction alone, so that actor and
    critic learn on top of whatever the autoencoder sees."""
    bfloat16: bool = True
    """Run encoder and decoder in bfloat16 where the processor has it in hardware."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        if not 1 <= self.branch_units <= 4096:
            raise ValueError(f"branch_units must be from 1 to 4096, got {self.branch_units}")


class ActorCritic(nn.Module):
    """Maps observations (B, C, H, W) uint8 to a Prediction, and latents back to images."""

    def __init__(
        self, obs_shape: tuple[int, int, int], num_actions: int, config: ActorCriticConfig
    ) -> None:
        """Build with a policy that starts out almost uniform."""
        super().__init__()
        self.config = config
        self.normalizer = Normalizer(*obs_shape[1:])
        self.encoder = Encoder(obs_shape, config.encoder)
        self.decoder = Decoder(obs_shape, config.encoder)
        latent_dim, units = config.encoder.latent_dim, config.branch_units
        last = nn.Linear(units, num_actions)
        nn.init.orthogonal_(last.weight, 0.01)
        nn.init.zeros_(last.bias)
        self.actor = nn.Sequential(nn.Linear(latent_dim, units), nn.ReLU(), last)
        self.critic = nn.Sequential(nn.Linear(latent_dim, units), nn.ReLU(), nn.Linear(units, 1))
        # Channels last is twice as fast on a CPU; PyTorch's stubs do not know this overload.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, obs: Tensor) -> Prediction:
        """One encoder pass: (B, C, H, W) uint8 to policy, value and latent."""
        # Bfloat16 for the heavy layers only; heads and losses stay in float32.
        device = obs.device.type
        normalized = self.normalizer(channels_last(obs), self._dtype(device))
        with self._autocast(device):
            latent = self.encoder(normalized)
        latent = latent.float()
        # The one place that decides who may change the encoder: under "reconstruction" no
        # gradient of policy or value passes this line.
        features = latent if self.config.encoder_gradients == "joint" else latent.detach()
        policy = Categorical(logits=self.actor(features), validate_args=False)
        return Prediction(policy, self.critic(features).squeeze(-1), latent)

    def decode(self, latent: Tensor) -> Tensor:
        """(B, Z) to the reconstruction (B, C, H, W) in normalised units, float32."""
        with self._autocast(latent.device.type):
            reconstruction = self.decoder(latent)
        return reconstruction.float()

    def profiles(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, Z) to column (B * C, rank, H) and row profiles (B * C, rank, W).

        They are bfloat16 where the heavy layers are.
        """
        with self._autocast(latent.device.type):
            return self.decoder.profiles(latent)

    @torch.no_grad()
    def reconstruct(self, obs: Tensor) -> Tensor:
        """Observations (B, C, H, W) uint8 as the decoder draws them, grey levels uint8."""
        return self.normalizer.denormalize(self.decode(self(obs).latent))

    def _autocast(self, device: str) -> torch.autocast:
        return torch.autocast(
            device, self._dtype(device), enabled=self._dtype(device) != torch.float32
        )

    def _dtype(self, device: str) -> torch.dtype:
        """Of the heavy layers on a device of this type."""
        return torch.bfloat16 if self.config.bfloat16 and has_bfloat16(device) else torch.float32


def sample(policy: Categorical, generator: torch.Generator) -> Tensor:
    """Draw actions (B,) int64 from ``generator``; Categorical knows the global one only."""
    return torch.multinomial(policy.probs, 1, generator=generator).squeeze(1)


@cache
def has_bfloat16(device: str) -> bool:
    """Whether a device type ("cpu" or "cuda") computes in bfloat16 on this machine."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()  # pyright: ignore[reportPrivateUsage]
