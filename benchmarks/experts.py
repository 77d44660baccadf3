"""Experts by range on sparse images: signal or background, where the shape depends on a number x.

An image of 40 x 40 pixels has a cluster of single hits. Its radius grows with x, which comes with
the image, and a background's is larger than a signal's of the same x. What is large for one x is
small for another. Three classifiers are compared: one network, one network that is told x, and
experts, each for a part of the range of x. Together the experts have as many channels as the one.

Each comes in two shapes, to see what suits images of so few pixels: pooling after every
convolution, and pooling after the last one alone. The parameters are as many.

Example:
    python -m benchmarks.experts --json benchmarks/results/experts.json
"""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import tyro
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.provenance import provenance
from encoders.experts import Bins, ExpertNetwork
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from monitoring.console import print_table
from settings import Checked, Seed, Within

SIZE, HITS, NOISE = 40, 24, 6
"""Height and width of an image; hits of its cluster, and hits anywhere in it."""
RADIUS = (2.0, 8.0)
"""Of a signal's cluster in pixels, at the lower and at the upper end of x."""
LARGER = 1.3
"""A background's radius as a multiple of it."""
FEATURES = 16
"""That a network passes on for each of its channels."""
CHANNELS = 16
"""Of every convolution of all networks of a classifier together."""
BATCH, LEARNING_RATE = 100, 3e-3


@dataclass(frozen=True)
class ExpertsStudyConfig(Checked):
    """Compare experts by range with one network on sparse images of clusters."""

    images: Annotated[int, Within(100, 10**6)] = 10_000
    """Images to learn from; half as many judge."""
    epochs: Annotated[int, Within(1, 1000)] = 8
    """Times that each is learned from."""
    experts: Annotated[int, Within(2, CHANNELS)] = 4
    """Bins of x, by quantiles."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Of images and networks."""
    json: Path = Path("experts.json")
    """File for the result."""


class Clusters(NamedTuple):
    """Images with what goes with them."""

    images: Tensor
    """(N, 1, 40, 40) float32."""
    x: Tensor
    """(N,) float32 in 0..1."""
    signal: Tensor
    """(N,) float32, 1 for a signal and 0 for background."""


def make_clusters(count: int, rng: np.random.Generator) -> Clusters:
    """Draw ``count`` images."""
    x, signal = rng.random(count), rng.integers(2, size=count)
    radius = (RADIUS[0] + (RADIUS[1] - RADIUS[0]) * x) * np.where(signal, 1.0, LARGER)
    middle = rng.uniform(0.35 * SIZE, 0.65 * SIZE, (count, 1, 2))
    hits = middle + radius[:, None, None] * rng.normal(size=(count, HITS, 2)) / np.sqrt(2)
    places = np.concatenate([hits, rng.uniform(0, SIZE, (count, NOISE, 2))], axis=1)
    places = places.astype(int).clip(0, SIZE - 1)
    images = np.zeros((count, 1, SIZE, SIZE), np.float32)
    images[np.arange(count)[:, None], 0, places[:, :, 0], places[:, :, 1]] = 1.0
    return Clusters(*(torch.from_numpy(np.float32(one)) for one in (images, x, signal)))


def convolutions(channels: int, *, pool_early: bool) -> nn.Module:
    """Images (N, C, 40, 40) to features (N, channels * FEATURES)."""
    pool: Callable[[], nn.Module] = (lambda: nn.MaxPool2d(2)) if pool_early else nn.Identity
    return nn.Sequential(
        nn.LazyConv2d(channels, 3, padding=1), nn.ReLU(), pool(),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), pool(),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(10), nn.Flatten(),
        nn.Linear(100 * channels, channels * FEATURES), nn.ReLU(),
    )  # fmt: skip


class OneNetwork(nn.Module):
    """A classifier without experts, that may be told x."""

    def __init__(self, *, pool_early: bool, told: bool) -> None:
        """If it is ``told``, a second channel of every image holds x."""
        super().__init__()
        self.told = told
        self.features = convolutions(CHANNELS, pool_early=pool_early)
        self.last = nn.Linear(CHANNELS * FEATURES, 1)

    def forward(self, images: Tensor, x: Tensor) -> Tensor:
        """(N, 1, 40, 40) and (N,) to logits (N, 1)."""
        if self.told:
            images = torch.cat([images, x.view(-1, 1, 1, 1).expand_as(images)], dim=1)
        return self.last(self.features(images))


def experts(x: Tensor, count: int, *, pool_early: bool) -> nn.Module:
    """A classifier of ``count`` experts, for as many quantiles of ``x``."""
    channels = CHANNELS // count
    return ExpertNetwork(
        Bins.quantiles(x, count),
        lambda: convolutions(channels, pool_early=pool_early),
        channels * FEATURES,
        outputs=1,
    )


def fit(model: nn.Module, data: Clusters, epochs: int) -> None:
    """Train a classifier with Adam, its step size falling to zero."""
    model(data.images[:2], data.x[:2])  # now lazy layers know their inputs
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    steps = epochs * (len(data.x) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    for _ in range(epochs):
        for index in torch.split(torch.randperm(len(data.x)), BATCH)[: len(data.x) // BATCH]:
            images, x, signal = (part[index] for part in data)
            optimizer.zero_grad()
            logits = model(images, x)[:, 0]
            functional.binary_cross_entropy_with_logits(logits, signal).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracies(model: nn.Module, data: Clusters, parts: int) -> list[float]:
    """Shares of right answers over all of x, then over each of ``parts`` of its range."""
    logits = torch.cat([
        model(images, x)[:, 0]
        for images, x in zip(*(torch.split(part, 500) for part in data[:2]), strict=True)
    ])  # fmt: skip
    right = ((logits > 0) == data.signal.bool()).float()
    part = (data.x * parts).long()
    return [right.mean().item(), *(right[part == one].mean().item() for one in range(parts))]


def compare(config: ExpertsStudyConfig) -> dict[str, dict[str, list[list[float]]]]:
    """Accuracies of every classifier in both shapes, for every seed."""
    found: dict[str, dict[str, list[list[float]]]] = {"late": {}, "early": {}}
    for seed in config.seeds:
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        train, test = (make_clusters(count, rng) for count in (config.images, config.images // 2))
        for shape, classifiers in found.items():
            early = shape == "early"
            models = {
                "one network": OneNetwork(pool_early=early, told=False),
                "one network, told x": OneNetwork(pool_early=early, told=True),
                f"{config.experts} experts": experts(train.x, config.experts, pool_early=early),
            }
            for name, model in models.items():
                fit(model, train, config.epochs)
                rows = classifiers.setdefault(name, [])
                rows.append(accuracies(model, test, config.experts))
    return found


def main() -> None:
    """Compare, print both tables of accuracies and write the JSON."""
    config = tyro.cli(ExpertsStudyConfig)
    check_output(config.json)
    found = compare(config)
    edges = np.linspace(0, 1, config.experts + 1).round(2).tolist()
    parts = [f"x {low} to {high}" for low, high in itertools.pairwise(edges)]
    for shape, classifiers in found.items():
        table = Table("", "all x", *parts, title=f"right answers, {shape} pooling")
        for name, rows in classifiers.items():
            means, spreads = 100 * np.mean(rows, axis=0), 100 * np.std(rows, axis=0)
            pairs = zip(means, spreads, strict=True)
            table.add_row(name, *(f"{mean:.1f} ± {spread:.1f} %" for mean, spread in pairs))
        print_table(table)
    write_json(config.json, {**provenance("experts"), "accuracies": found})


if __name__ == "__main__":
    sys.exit(exit_code(main))
