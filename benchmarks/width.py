"""How many units should the latent have? The default autoencoder with 8 to 256 of them.

Beside the figures stand two rules of thumb: frames per free parameter, and the mean of the sizes of
what goes in and what comes out, as a number of units.

Example:
    python -m benchmarks.width --json benchmarks/results/width.json
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.reconstruction import ReconstructionBenchmarkConfig, compare
from benchmarks.remedies import REMEDIES, Remedy
from envs import KUNG_FU_MASTER as GAME
from experiment.command_line import exit_code
from monitoring.console import make_console

UNITS = (8, 16, 32, 64, 128, 256)
"""Widths of the tanh layer; the units of tracks come on top."""
WIDTHS: Mapping[str, Remedy] = {
    str(units): REMEDIES["default"]._replace(latent_dim=units) for units in UNITS
}
"""The default with each."""
MEAN_OF_ENDS = (math.prod(GAME.obs_shape) + GAME.num_actions) // 2
"""Units after the rule that a hidden layer has the mean size of input and output: of the pixels of
an observation and of the actions."""


@dataclass(frozen=True)
class WidthConfig(ReconstructionBenchmarkConfig):
    """Train autoencoders with latents of several widths and judge what they keep."""

    json: Path = Path("width.json")
    """File for the result; the picture goes beside it, ending in .png."""
    remedies: tuple[str, ...] = tuple(WIDTHS)
    """Widths to train."""

    @property
    def choices(self) -> Mapping[str, Remedy]:
        """The widths that there are."""
        return WIDTHS


def main() -> None:
    """Compare the widths."""
    compare("width", tyro.cli(WidthConfig))
    make_console().print(f"mean of input and output: {MEAN_OF_ENDS:,} units")


if __name__ == "__main__":
    sys.exit(exit_code(main))
