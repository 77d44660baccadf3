"""Does normalisation decide what an autoencoder learns? The same network on five scales.

The loss is the plain mean squared error, so nothing else helps.

Example:
    python -m benchmarks.normalisation --json benchmarks/results/normalisation.json
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.reconstruction import ReconstructionBenchmarkConfig, compare
from benchmarks.remedies import Remedy, uniform
from encoders import Normalizer
from experiment.command_line import exit_code


def raw(normalizer: Normalizer) -> None:
    """Grey levels as they are, 0 to 255."""
    normalizer.mean.zero_()
    normalizer.std.fill_(1.0)


def unit_range(normalizer: Normalizer) -> None:
    """Grey levels divided by 255."""
    normalizer.mean.zero_()
    normalizer.std.fill_(255.0)


def mean_image(normalizer: Normalizer) -> None:
    """Grey levels less their mean at each pixel."""
    normalizer.std.fill_(1.0)


def per_channel(normalizer: Normalizer) -> None:
    """One mean and one standard deviation for all pixels; the four channels are alike."""
    over_pixels = normalizer.mean.var(correction=0)
    deviation = (normalizer.variance.mean() + over_pixels).sqrt()
    normalizer.mean.fill_(normalizer.mean.mean())
    normalizer.std.copy_(deviation)


SCALES: Mapping[str, Remedy] = {
    "raw": Remedy(uniform, normalize=raw),
    "unit_range": Remedy(uniform, normalize=unit_range),
    "per_channel": Remedy(uniform, normalize=per_channel),
    "mean_image": Remedy(uniform, normalize=mean_image),
    "mean_and_std": Remedy(uniform),
}
"""Each with the plain loss; the last is what ``train.py`` does."""


@dataclass(frozen=True)
class NormalisationConfig(ReconstructionBenchmarkConfig):
    """Train the same autoencoder on five scales and judge what it keeps."""

    json: Path = Path("normalisation.json")
    """File for the result; the picture goes beside it, ending in .png."""
    remedies: tuple[str, ...] = tuple(SCALES)
    """Scales to train on."""

    @property
    def choices(self) -> Mapping[str, Remedy]:
        """The scales that there are."""
        return SCALES


def main() -> None:
    """Compare the scales."""
    compare("normalisation", tyro.cli(NormalisationConfig))


if __name__ == "__main__":
    sys.exit(exit_code(main))
