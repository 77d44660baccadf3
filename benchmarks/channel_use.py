"""Which input channels does a trained agent use? Its frames, and the detector's mask if it has one.

Every input channel of the encoder is judged twice: by the norm of the weights that read it, and by
what moves if it is dealt to other observations: the loss of the reconstruction, the policy and the
value. A mask that is transposed, or that of another observation, is what a mistake would make of
it; an agent that uses its mask then draws and acts otherwise. Units of tracks, which are found by
another network, stay as they are.

Example:
    python -m benchmarks.channel_use runs/kung_fu_master --json channel_use.json
"""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from rich.table import Table
from torch import Tensor, nn
from torch.distributions import Categorical, kl_divergence

from agent.rollout import Rollout
from benchmarks.provenance import provenance
from encoders.channels import changed_channel, channel_norms, shuffled_channel
from encoders.experts import Experts
from experiment.agent_rollout import agent_rollout
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from experiment.trained_agent import TrainedAgent, load_agent
from monitoring.console import print_table
from settings import Checked, Within

SEED = 2_000_000
"""Of the games."""
MEASURES = ("loss", "policy", "value")
"""What moves: the loss of the reconstruction as a multiple of what it was; the policy, as the mean
divergence in nats; the value, as the mean distance in standard deviations of the returns."""


@dataclass(frozen=True)
class ChannelUseConfig(Checked):
    """See which input channels a trained agent uses."""

    agent: tyro.conf.Positional[Path]
    """Run or checkpoint."""
    json: Path
    """File for the result; the plot goes beside it, ending in .png."""
    repeats: Annotated[int, Within(1, 1000)] = 5
    """Times that each channel is shuffled; the figures are means."""


def first_layers(encoder: nn.Module) -> list[nn.Conv2d]:
    """The convolutions that read the input: one, or one of each expert."""
    convolutions: Any = encoder.convolutions
    networks: Any = convolutions.networks if isinstance(convolutions, Experts) else [convolutions]
    return [
        next(one for one in network.modules() if isinstance(one, nn.Conv2d)) for network in networks
    ]


class Instruments:
    """Judges the channels by what an agent saw."""

    def __init__(self, agent: TrainedAgent, rollout: Rollout) -> None:
        """Look at every fourth observation, which together show every frame once."""
        self.agent, self.rollout = agent, rollout
        self.index = torch.arange(rollout.stack - 1, rollout.size, rollout.stack)
        self.reference = self._outputs()

    def channels(self) -> list[str]:
        """Names of the encoder's input channels, the oldest frame first."""
        config = self.agent.config.model.autoencoder
        back = range(self.rollout.stack - 1, -1, -1)
        return [f"frame -{age}" for age in back] + ["mask"] * config.mask_channel

    def norms(self) -> list[float]:
        """Length of the weights that read each channel, of all first layers together."""
        layers = first_layers(self.agent.model.autoencoder.encoder)
        norms = channel_norms(torch.cat([layer.weight for layer in layers]))
        return cast(list[float], norms.tolist())

    def shuffle(self, channel: int, repeats: int) -> dict[str, float]:
        """What moves if a channel is dealt to other observations, mean of ``repeats``."""
        generator = torch.Generator().manual_seed(0)
        encoder = self.agent.model.autoencoder.encoder
        found = [self._moved(shuffled_channel(encoder, channel, generator)) for _ in range(repeats)]
        return {name: float(np.mean([one[name] for one in found])) for name in MEASURES}

    def transpose_mask(self) -> dict[str, float]:
        """What moves if rows and columns of the mask, the last channel, are interchanged."""

        def transpose(masks: Tensor) -> Tensor:
            return masks.mT.reshape(masks.shape)

        encoder = self.agent.model.autoencoder.encoder
        return self._moved(changed_channel(encoder, -1, transpose))

    def _moved(self, changed: AbstractContextManager[object]) -> dict[str, float]:
        with changed:
            loss, logits, value = self._outputs()
        true_loss, true_logits, true_value = self.reference
        divergence = kl_divergence(Categorical(logits=true_logits), Categorical(logits=logits))
        distance = (value - true_value).abs() / self.agent.model.returns.std
        return {
            "loss": (loss / true_loss).item() - 1,
            "policy": divergence.mean().item(),
            "value": distance.mean().item(),
        }

    @torch.no_grad()
    def _outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the reconstruction, logits (B, A) and values (B,)."""
        rollout, index, model = self.rollout, self.index, self.agent.model
        obs, regions = rollout.observations(index), rollout.observation_regions(index)
        tracks = rollout.observation_tracks(index)
        policy, value, latent = model(obs, rollout.observation_gauges(index), tracks)
        loss = model.autoencoder.loss(latent, obs, regions, self.agent.config.weights)
        return loss.reconstruction, policy.logits, value


def judge(agent: TrainedAgent, repeats: int) -> dict[str, dict[str, float]]:
    """Norm and importance of every channel, and what a transposed mask would change."""
    instruments = Instruments(agent, agent_rollout(agent, SEED))
    found: dict[str, dict[str, float]] = {}
    norms = instruments.norms()
    for channel, name in enumerate(instruments.channels()):
        found[name] = {"norm": norms[channel], **instruments.shuffle(channel, repeats)}
    if "mask" in found:
        found["mask transposed"] = instruments.transpose_mask()
    return found


def main() -> None:
    """Judge, print the table, write the JSON and the plot."""
    config = tyro.cli(ChannelUseConfig)
    check_output(config.json)
    found = judge(load_agent(config.agent), config.repeats)
    write_json(config.json, {**provenance("channel_use"), "channels": found})
    draw(found, config.json.with_suffix(".png"))
    table = Table("channel", "norm of weights", "loss grows by", "policy, nats", "value, std")
    for name, row in found.items():
        norm = f"{row['norm']:.2f}" if "norm" in row else ""
        table.add_row(
            name, norm, f"{row['loss']:.1%}", f"{row['policy']:.3f}", f"{row['value']:.3f}"
        )
    print_table(table)


def draw(found: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Plot every measure as bars, one for each channel."""
    panels = {
        "norm": "norm of its weights",
        "loss": "growth of the loss if shuffled",
        "policy": "move of the policy, nats",
        "value": "move of the value, std",
    }
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, (measure, title) in zip(figure.subplots(1, 4), panels.items(), strict=True):
        axes.bar(range(len(found)), [row.get(measure, 0.0) for row in found.values()])
        axes.set_xticks(range(len(found)), list(found), rotation=30, ha="right")
        axes.set_title(title)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(exit_code(main))
