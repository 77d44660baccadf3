"""Do noise, shifts or brightness on what the autoencoder sees help it, or the agent?

Every arm is the default but for what it is named after. The scores are the game's own.

Example:
    python -m benchmarks.perturbations --json benchmarks/results/perturbations.json
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import tyro

from benchmarks.arms import ChosenArms, run_study
from benchmarks.figures import figures_table
from experiment.command_line import exit_code
from monitoring.console import print_table

NOISE = ("--ppo.perturbation.noise", "10")
ARMS: Mapping[str, Sequence[str]] = {
    "default": (),
    "noise": NOISE,
    "noise_in_target": (*NOISE, "--ppo.perturbation.no-clean-target"),
    "shift": ("--ppo.perturbation.shift", "4", "--ppo.perturbation.no-clean-target"),
    "shift_back": ("--ppo.perturbation.shift", "4"),
    "brightness": ("--ppo.perturbation.brightness", "20"),
}
"""Flags of ``train.py`` by the name of the arm. Where it is not said, the target is clean."""


@dataclass(frozen=True)
class PerturbationsStudyConfig(ChosenArms):
    """Train and judge every arm; a run that is already there is resumed or reused."""

    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = ARMS
    runs: Path = Path("runs/perturbations")
    """Directory of the runs: one directory for each arm, in it one for each seed."""


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(PerturbationsStudyConfig)
    print_table(figures_table(run_study("perturbations", config, config.chosen)["arms"]))


if __name__ == "__main__":
    sys.exit(exit_code(main))
