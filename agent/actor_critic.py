"""Actor and critic: two heads on the latent of an autoencoder."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Categorical

from agent.gradients import EXPERTS, GradientsConfig
from agent.heads import Actor, ReturnHead
from encoders import Autoencoder, AutoencoderConfig
from encoders.experts import Experts
from encoders.locator import CELL
from encoders.tracks import MAPS, artifact_maps
from settings import Checked, Within

STAGE = "stage_"
"""How the names of the gauges begin that tell which stage it is, one for each."""


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
    """The network, and which loss changes what of it."""

    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    branch_units: Annotated[int, Within(1, 4096)] = 128
    """Hidden units of the actor and of the critic, each with one such layer on the latent."""
    gradients: GradientsConfig = field(default_factory=GradientsConfig)
    """Which loss trains which part of the network."""
    actor_sees_stage: bool = True
    """Give the actor a last layer of its own for each stage that the game shows. Of all else it
    knows only the latent."""
    critic_sees_gauges: bool = True
    """Tell the critic what all gauges of the game show."""
    experts: Annotated[int, Within(1, len(EXPERTS))] = 1
    """Times that the encoder has its convolutions: one expert for each bin of what a gauge shows.
    All of them see every observation; only that of its bin learns from it."""
    expert_by: str = "stage"
    """Name of that gauge; its range, 0 to 1 or all stages, is split evenly."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        known = EXPERTS[: self.experts] if self.experts > 1 else ()
        if unknown := self.gradients.experts - {*known}:
            raise ValueError(
                f"gradients must name experts that there are ({', '.join(known) or 'none'} with "
                f"experts {self.experts}), got {', '.join(sorted(unknown))}"
            )


class ActorCritic(nn.Module):
    """Maps observations (B, C, H, W) uint8 and gauges (B, G) float32 to a Prediction."""

    def __init__(
        self,
        obs_shape: tuple[int, int, int],
        num_actions: int,
        config: ActorCriticConfig,
        gauges: Sequence[str] = (),
    ) -> None:
        """Build with a policy that starts out almost uniform.

        Args:
            obs_shape: (C, H, W).
            num_actions: Actions between which the actor chooses.
            config: Its size, and who sees and changes what.
            gauges: Names of the G gauges that go with every observation.

        Raises:
            ValueError: If experts are to be chosen by a gauge that is not there.
        """
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(obs_shape, config.autoencoder, config.experts)
        seen, units = self.autoencoder.latent_dim, config.branch_units
        if self.autoencoder.track_units:
            seen += MAPS * math.prod(self._cells)
        self._expert_by = _columns(gauges, config.expert_by) if config.experts > 1 else []
        stages = [index for index, name in enumerate(gauges) if name.startswith(STAGE)]
        self._stages = stages if config.actor_sees_stage else []
        self._critic_gauges = [*range(len(gauges))] if config.critic_sees_gauges else []
        critic_in = seen + len(self._critic_gauges)
        self.actor = Actor(seen, units, num_actions, len(self._stages) or 1)
        self.critic = nn.Sequential(nn.Linear(critic_in, units), nn.ReLU(), ReturnHead(units))

    def forward(
        self, obs: Tensor, gauges: Tensor | None = None, tracks: Tensor | None = None
    ) -> Prediction:
        """One encoder pass: (B, C, H, W) uint8 and (B, G) float32 to policy, value and latent.

        Without gauges, G = 0, their tensor may be left out; so may the units of artifacts' tracks,
        (B, U), which are then found in the observations.
        """
        gauges = torch.zeros(len(obs), 0, device=obs.device) if gauges is None else gauges
        latent = self.encode(obs, gauges, tracks)
        features = latent
        if self.autoencoder.track_units:
            seen = latent[:, -self.autoencoder.track_units :]
            features = torch.cat([latent, artifact_maps(seen, self._cells)], dim=1)
        stage = gauges[:, self._stages] if self._stages else gauges.new_ones(len(obs), 1)
        logits = self.actor(self.config.gradients.of_actor(features), stage)
        features = self.config.gradients.of_critic(features)
        value = self.critic(torch.cat([features, gauges[:, self._critic_gauges]], dim=1))
        return Prediction(Categorical(logits=logits, validate_args=False), value[:, 0], latent)

    def encode(self, obs: Tensor, gauges: Tensor, tracks: Tensor | None = None) -> Tensor:
        """(B, C, H, W) uint8 to the latent (B, Z); each teaches the expert that its gauges name."""
        return self.autoencoder.encode(obs, tracks, self._expert_variable(gauges))

    def _expert_variable(self, gauges: Tensor) -> Tensor | None:
        """(B, G) to what chooses the expert, (B,) in 0..1; of stages the middle of their share."""
        count = len(self._expert_by)
        if count < 2:
            return gauges[:, self._expert_by[0]] if count else None
        middles = (torch.arange(count, device=gauges.device) + 0.5) / count
        return gauges[:, self._expert_by] @ middles

    @property
    def _cells(self) -> tuple[int, int]:
        """Rows and columns of the maps of artifacts that actor and critic see."""
        _, height, width = self.autoencoder.obs_shape
        return height // CELL, width // CELL

    @property
    def returns(self) -> ReturnHead:
        """The critic's last layer."""
        head = self.critic[-1]
        assert isinstance(head, ReturnHead)
        return head

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """All parameters by the part of the network that a loss may train.

        Those of an expert are also those of the encoder. Frozen ones are in no part.
        """
        convolutions = self.autoencoder.encoder.convolutions
        experts: list[nn.Module] = []
        if isinstance(convolutions, Experts):
            experts += convolutions.networks
        return {
            "encoder": _trainable(self.autoencoder.encoder),
            **{name: _trainable(one) for name, one in zip(EXPERTS, experts, strict=False)},
            "decoder": [*self.autoencoder.decoder.parameters()],
            "artifacts": self.autoencoder.parameter_groups()["artifacts"],
            "actor": [*self.actor.parameters()],
            "critic": [*self.critic.parameters()],
        }

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters by who owns them.

        ``branches`` (actor and critic), ``autoencoder``, and ``artifacts``, the part of the
        autoencoder that finds and draws small artifacts, which may have none.
        """
        return {
            **self.autoencoder.parameter_groups(),
            "branches": [*self.actor.parameters(), *self.critic.parameters()],
        }


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _columns(gauges: Sequence[str], name: str) -> list[int]:
    """Where a gauge is among ``gauges``, or all stages if that is its name.

    Raises:
        ValueError: If it is not there.
    """
    found = [index for index, one in enumerate(gauges) if one == name or _family(one) == name]
    if not found:
        known = ", ".join(dict.fromkeys(map(_family, gauges))) or "none"
        raise ValueError(f"model.expert_by must be a gauge of the game ({known}), got {name}")
    return found


def _family(gauge: str) -> str:
    return STAGE.rstrip("_") if gauge.startswith(STAGE) else gauge


@torch.no_grad()
def act(
    model: ActorCritic,
    observations: Sequence[NDArray[np.uint8]],
    infos: Sequence[Mapping[str, Any]],
    generator: torch.Generator,
) -> list[int]:
    """Choose an action in each of B single games.

    Args:
        model: The policy, on the generator's device.
        observations: B times (C, H, W) uint8.
        infos: What each environment told with them; ``gauges``, (G,) float32, if the game has any.
        generator: Of the random numbers.
    """
    obs = torch.from_numpy(np.stack(observations)).to(generator.device)
    gauges = np.stack([info.get("gauges", np.zeros(0, np.float32)) for info in infos])
    policy = model(obs, torch.from_numpy(gauges).to(generator.device)).policy
    # Categorical knows the global generator only.
    actions = torch.multinomial(policy.probs, 1, generator=generator)
    return cast(list[int], actions[:, 0].tolist())
