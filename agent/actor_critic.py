"""Actor and critic: two heads on the latent of an autoencoder."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from agent.gradients import EncoderGradients, branch_features
from encoders import Autoencoder, AutoencoderConfig
from settings import Checked, Within


class Prediction(NamedTuple):
    """What one encoder pass yields."""

    policy: Categorical
    """Distribution over actions, batch shape (B,)."""
    value: Tensor
    """(B,) float32, expected discounted return in the units of the learner's rewards."""
    latent: Tensor
    """(B, Z) float32 in -1..1, the decoder's input."""


@dataclass(frozen=True)
class ActorCriticConfig(Checked):
    """The network and who may change its encoder."""

    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    branch_units: Annotated[int, Within(1, 4096)] = 128
    """Hidden units of the actor and of the critic, each with one such layer on the latent."""
    encoder_gradients: EncoderGradients = "joint"
    """Which losses train the encoder: all of them, or the reconstruction alone, so that actor and
    critic learn on top of whatever the autoencoder sees."""


class ActorCritic(nn.Module):
    """Maps observations (B, C, H, W) uint8 to a Prediction."""

    def __init__(
        self, obs_shape: tuple[int, int, int], num_actions: int, config: ActorCriticConfig
    ) -> None:
        """Build with a policy that starts out almost uniform."""
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(obs_shape, config.autoencoder)
        latent_dim, units = self.autoencoder.latent_dim, config.branch_units
        last = nn.Linear(units, num_actions)
        nn.init.orthogonal_(last.weight, 0.01)
        nn.init.zeros_(last.bias)
        self.actor = nn.Sequential(nn.Linear(latent_dim, units), nn.ReLU(), last)
        self.critic = nn.Sequential(nn.Linear(latent_dim, units), nn.ReLU(), nn.Linear(units, 1))

    def forward(self, obs: Tensor) -> Prediction:
        """One encoder pass: (B, C, H, W) uint8 to policy, value and latent."""
        latent = self.autoencoder.encode(obs)
        features = branch_features(latent, self.config.encoder_gradients)
        policy = Categorical(logits=self.actor(features), validate_args=False)
        return Prediction(policy, self.critic(features).squeeze(-1), latent)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters by who owns them: ``branches`` (actor and critic) and ``autoencoder``."""
        return {
            "branches": [*self.actor.parameters(), *self.critic.parameters()],
            "autoencoder": [*self.autoencoder.parameters()],
        }


def sample(policy: Categorical, generator: torch.Generator) -> Tensor:
    """Draw actions (B,) int64 from ``generator``; Categorical knows the global one only."""
    return torch.multinomial(policy.probs, 1, generator=generator).squeeze(1)
