"""Which part of the credit does the work: damage, its warm-up, the critic's gauges, the horizon.

Every arm is the default but for what it is named after. The scores are the game's own.

Example:
    python -m benchmarks.credit --json benchmarks/results/credit.json
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

NO_DAMAGE = ("--credit.damage", "0")
BLIND_CRITIC = ("--model.no-critic-sees-gauges",)
ARMS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "no_warm_up": ("--credit.damage-warm-up", "0"),
    "blind_critic": BLIND_CRITIC,
    "long_horizon": ("--ppo.gamma", "0.997"),
    "no_damage": NO_DAMAGE,
    "no_damage_blind_critic": (*NO_DAMAGE, *BLIND_CRITIC),
}
"""Flags of ``train.py`` by the name of the arm."""


@dataclass(frozen=True)
class CreditStudyConfig(ChosenArms):
    """Train and judge every arm; a run that is already there is resumed or reused."""

    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = ARMS
    runs: Path = Path("runs/credit")
    """Directory of the runs: one directory for each arm, in it one for each seed."""


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(CreditStudyConfig)
    print_table(figures_table(run_study("credit", config, config.chosen)["arms"]))


if __name__ == "__main__":
    sys.exit(exit_code(main))
