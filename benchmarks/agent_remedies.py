"""Do the remedies that are one flag help an agent? Experts, a mask channel, noise on its pictures.

Every arm is the default but for what it is named after. The scores are the game's own.

Example:
    python -m benchmarks.agent_remedies --json benchmarks/results/agent_remedies.json
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
SHIFT = ("--ppo.perturbation.shift", "4")
ARMS: Mapping[str, Sequence[str]] = {
    "default": (),
    "noise": NOISE,
    "noise_in_target": (*NOISE, "--ppo.perturbation.no-clean-target"),
    "shift": (*SHIFT, "--ppo.perturbation.no-clean-target"),
    "shift_back": SHIFT,
    "brightness": ("--ppo.perturbation.brightness", "20"),
    "experts_by_stage": ("--model.experts", "5"),
    "experts_by_clock": ("--model.experts", "4", "--model.expert-by", "clock"),
    "mask_channel": ("--model.autoencoder.mask-channel",),
}
"""Flags of ``train.py`` by the name of the arm. Where it is not said, what is drawn is clean."""


@dataclass(frozen=True)
class AgentRemediesConfig(ChosenArms):
    """Train and judge every arm; a run that is already there is resumed or reused."""

    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = ARMS
    runs: Path = Path("runs/agent_remedies")
    """Directory of the runs: one directory for each arm, in it one for each seed."""


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(AgentRemediesConfig)
    print_table(figures_table(run_study("agent_remedies", config, config.chosen)["arms"]))


if __name__ == "__main__":
    sys.exit(exit_code(main))
