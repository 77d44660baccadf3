"""What is it worth to an agent that its encoder keeps the knives?

Twins: actor and critic learn on top of what the autoencoder alone has learned. The one has the
default, which keeps the knives, the other the uniform loss and no tracks, and loses them. All else
is the same, the credit too.

Example:
    python -m benchmarks.does_seeing_pay --json benchmarks/results/does_seeing_pay.json
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.table import Table

from benchmarks.arms import StudyConfig, figures_of, run_study
from benchmarks.figures import figures_table
from evaluation.statistics import difference
from experiment.command_line import exit_code
from experiment.config import Steps
from experiment.files import write_json
from monitoring.console import print_table
from settings import Seed

SEPARATE = (
    *("--model.gradients.policy", "actor", "--model.gradients.entropy", "actor"),
    *("--model.gradients.value", "critic"),
)
UNIFORM = (
    *("--weights.artifact", "1", "--weights.empty", "1"),
    *("--model.autoencoder.locator.count", "0"),
)
TWINS = {"seeing": SEPARATE, "blind": (*SEPARATE, *UNIFORM)}
"""Flags of ``train.py`` by the name of the arm."""
FIGURES = ("score", "hits_per_1000_steps", "dodged", "dodged_high", "dodged_low")
"""What is compared."""


@dataclass(frozen=True)
class SeeingConfig(StudyConfig):
    """Train the twins and judge them; a run that is already there is resumed or reused."""

    seeds: tuple[Seed, ...] = (1, 2, 3, 4, 5)
    """Seeds to train."""
    steps: Steps = 1_000_000
    """Agent steps of each training."""
    runs: Path = Path("runs/does_seeing_pay")
    """Directory of the runs: one directory for each arm, in it one for each seed."""


def main() -> None:
    """Run the study, write the JSON and print the tables."""
    config = tyro.cli(SeeingConfig)
    result = run_study("does_seeing_pay", config, TWINS)
    less = {
        figure: difference(*(figures_of(result, arm, figure) for arm in TWINS))
        for figure in FIGURES
    }
    write_json(config.json, {**result, "seeing_less_blind": less})
    print_table(figures_table(result["arms"]))
    print_table(_twins_table(less))


def _twins_table(twins: Mapping[str, Sequence[float]]) -> Table:
    table = Table("seeing less blind", "mean over seeds", "95 % interval")
    for figure, (mean, low, high) in twins.items():
        table.add_row(figure, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}")
    return table


if __name__ == "__main__":
    sys.exit(exit_code(main))
