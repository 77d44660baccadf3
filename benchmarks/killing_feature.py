"""Is a perfect input channel found among many that hold noise? How long that takes, and why.

Images have channels of noise and one that is the answer: the mask that a network should draw. Three
instruments tell whether the network uses it: the norm of the weights that read each channel, what
happens to the loss if the channel is dealt to other images, and a surgery. Surgery sets the weights
by hand so that the perfect channel alone speaks. If the loss is then low and its gradients are
almost zero, the solution is there, and training has only not reached it.

A mask that does not fit its image, transposed or dealt to other images, is found by the second.

Example:
    python -m benchmarks.killing_feature --json benchmarks/results/killing_feature.json
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.provenance import provenance
from encoders.channels import channel_norms, shuffled_channel
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from monitoring.console import print_table
from settings import Checked, Seed, Within

SIZE = 8
"""Height and width of an image."""
NOISE = 10.0
"""Standard deviation of the noise before normalisation; the mask is 0 or 1."""
UNITS = 16
"""Hidden units at every pixel."""
IMAGES, TESTS, BATCH = 128, 32, 32
LEARNING_RATE = 1e-3
EVERY = 10
"""Steps between two looks at the network."""
CERTAIN = 10.0
"""Size of the logits after surgery."""
Mask = Literal["fits", "transposed", "shuffled"]


@dataclass(frozen=True)
class KillingFeatureConfig(Checked):
    """See how long a network takes to use a perfect channel among many of noise."""

    json: Path = Path("killing_feature.json")
    """File for the result; the plot goes beside it, ending in .png."""
    noise_channels: Annotated[tuple[int, ...], Within(1, 100_000)] = (513, 10_000)
    """Channels of noise beside the perfect one."""
    steps: Annotated[int, Within(EVERY, 10**6)] = 600
    """Optimizer steps after which a network is given up."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Of images and networks."""


class Images(NamedTuple):
    """Images and what should be drawn of them."""

    inputs: Tensor
    """(N, C, 8, 8) float32; the last channel is the perfect one."""
    target: Tensor
    """(N, 1, 8, 8) float32, 0 or 1."""


class PixelNetwork(nn.Module):
    """Images (N, C, H, W) to logits (N, 1, H, W), each from the channels of its own pixel."""

    def __init__(self, channels: int) -> None:
        """Read ``channels`` (C)."""
        super().__init__()
        self.first, self.last = nn.Conv2d(channels, UNITS, 1), nn.Conv2d(UNITS, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 1, H, W)."""
        return self.last(self.first(images).relu())


def make_images(count: int, noise_channels: int, rng: np.random.Generator, mask: Mask) -> Images:
    """Draw ``count`` images, each with a box of 2 x 3 pixels in its mask."""
    target = np.zeros((count, 1, SIZE, SIZE), np.float32)
    for image, (row, column) in zip(target, rng.integers(SIZE - 2, size=(count, 2)), strict=True):
        image[0, row : row + 2, column : column + 3] = 1.0
    noise = rng.standard_normal((count, noise_channels, SIZE, SIZE), np.float32) * NOISE
    shown = {"fits": target, "transposed": target.swapaxes(2, 3), "shuffled": np.roll(target, 1, 0)}
    return Images(
        torch.from_numpy(np.concatenate([noise, shown[mask]], axis=1)), torch.from_numpy(target)
    )


def normalize(train: Images, test: Images) -> None:
    """Give each channel mean 0 and standard deviation 1 over the training images, in place."""
    mean = train.inputs.mean(dim=(0, 2, 3), keepdim=True)
    std = train.inputs.std(dim=(0, 2, 3), keepdim=True)
    for images in (train, test):
        images.inputs.sub_(mean).div_(std)


def loss_of(network: nn.Module, images: Images) -> Tensor:
    """Mean binary cross-entropy over all pixels."""
    return functional.binary_cross_entropy_with_logits(network(images.inputs), images.target)


@torch.no_grad()
def importance(network: PixelNetwork, images: Images) -> float:
    """How much the loss grows if the last channel is dealt to other images."""
    generator = torch.Generator().manual_seed(0)
    last = images.inputs.shape[1] - 1
    with shuffled_channel(network, last, generator):
        shuffled = loss_of(network, images)
    return (shuffled - loss_of(network, images)).item()


def ignorance(images: Images) -> float:
    """The loss of a network that knows no more than how many pixels are in the mask."""
    share = images.target.mean()
    return functional.binary_cross_entropy(share.expand_as(images.target), images.target).item()


def operate(network: PixelNetwork, images: Images) -> None:
    """Set the weights by hand so that the last channel alone speaks, and speaks the truth."""
    channel = images.inputs[:, -1]
    low, high = channel.min(), channel.max()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        assert network.first.bias is not None
        assert network.last.bias is not None
        network.first.weight[0, -1] = 1 / (high - low)
        network.first.bias[0] = -low / (high - low)  # the unit is 0 outside of the mask, 1 in it
        network.last.weight[0, 0] = 2 * CERTAIN
        network.last.bias[0] = -CERTAIN


def surgery(channels: int, images: Images) -> dict[str, float]:
    """Loss, and length of its gradient, of a network by hand and, to compare, of a fresh one."""
    found: dict[str, float] = {}
    network = PixelNetwork(channels)
    for name in ("fresh", "by_hand"):
        if name == "by_hand":
            operate(network, images)
        network.zero_grad()
        loss = loss_of(network, images)
        loss.backward()
        gradients = [one.grad for one in network.parameters() if one.grad is not None]
        found |= {f"loss_{name}": loss.item()}
        found |= {f"gradient_{name}": nn.utils.get_total_norm(gradients).item()}
    return found


def study(
    noise_channels: int, config: KillingFeatureConfig, seed: int, **how: Any
) -> dict[str, Any]:
    """Train one network and look at it again and again.

    Args:
        noise_channels: Beside the perfect one.
        config: How long.
        seed: Of images and network.
        how: ``normalized``, whether all channels have the same scale, and maybe ``mask``.

    Returns:
        ``used_after``, the steps until half of what can be known is known from the channel, or
        None; ``curve``, the test images' loss and its growth by a shuffle, every ``EVERY`` steps;
        ``ignorance``; ``norm_rank``, how many channels have larger weights at the end; ``surgery``.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    mask: Mask = how.get("mask", "fits")
    train, test = (make_images(count, noise_channels, rng, mask) for count in (IMAGES, TESTS))
    if how["normalized"]:
        normalize(train, test)
    operated = surgery(noise_channels + 1, test)
    network = PixelNetwork(noise_channels + 1)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    most = ignorance(test)
    curve: list[tuple[float, float]] = []
    used_after = None
    for step in range(config.steps):
        index = torch.from_numpy(rng.integers(IMAGES, size=BATCH))
        optimizer.zero_grad()
        loss_of(network, Images(*(part[index] for part in train))).backward()
        optimizer.step()
        if (step + 1) % EVERY == 0:
            with torch.no_grad():
                loss = loss_of(network, test).item()
            grown = importance(network, test)
            curve.append((loss, grown))
            if used_after is None and loss < most / 2 < grown:
                used_after = step + 1
    norms = channel_norms(network.first.weight)
    return {
        "used_after": used_after,
        "ignorance": most,
        "norm_rank": int((norms > norms[-1]).sum()),
        "surgery": operated,
        "curve": curve,
    }


def main() -> None:
    """Train all networks, print the table, write the JSON and the plot."""
    config = tyro.cli(KillingFeatureConfig)
    check_output(config.json)
    arms: dict[str, list[dict[str, Any]]] = {}
    for channels in config.noise_channels:
        for normalized in (False, True):
            scale = "normalised" if normalized else "raw"
            arms[f"{channels:,}, {scale}"] = [
                study(channels, config, seed, normalized=normalized) for seed in config.seeds
            ]
    for mask in ("transposed", "shuffled"):
        channels = min(config.noise_channels)
        arms[f"{channels:,}, normalised, {mask}"] = [
            study(channels, config, seed, normalized=True, mask=mask) for seed in config.seeds
        ]
    write_json(config.json, {**provenance("killing_feature"), "arms": arms})
    draw(arms, config.json.with_suffix(".png"))
    print_table(summary(arms))


def summary(arms: Mapping[str, list[dict[str, Any]]]) -> Table:
    """One row for each kind of network, its seeds beside each other."""
    table = Table(
        "channels of noise", "steps until the channel is used", "loss at the end",
        "growth by a shuffle", "channels with larger weights", "loss and gradient by hand",
    )  # fmt: skip
    for name, found in arms.items():
        hands = [one["surgery"] for one in found]
        table.add_row(
            name,
            "  ".join(str(one["used_after"] or "never") for one in found),
            "  ".join(f"{one['curve'][-1][0]:.3f}" for one in found),
            "  ".join(f"{one['curve'][-1][1]:.3f}" for one in found),
            "  ".join(f"{one['norm_rank']:,}" for one in found),
            "  ".join(f"{one['loss_by_hand']:.0e} {one['gradient_by_hand']:.0e}" for one in hands),
        )
    return table


def draw(arms: Mapping[str, list[dict[str, Any]]], path: Path) -> None:
    """Plot loss and permutation importance against steps, a line for each network."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    plots = figure.subplots(1, 2)
    for number, (name, found) in enumerate(arms.items()):
        for one in found:
            curve = np.array(one["curve"])
            steps = EVERY * (1 + np.arange(len(curve)))
            for axes, values in zip(plots, curve.T, strict=True):
                label = name if one is found[0] else None
                axes.plot(steps, values, color=f"C{number}", label=label, linewidth=1)
    titles = ("loss of the test images", "its growth if the perfect channel is shuffled")
    for axes, title in zip(plots, titles, strict=True):
        axes.set(title=title, xlabel="optimizer steps", ylim=(0, None))
    plots[0].set_yscale("symlog", linthresh=0.01)
    plots[1].legend(title="channels of noise")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(exit_code(main))
