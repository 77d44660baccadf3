"""Train with a recipe for several seeds, judge each, and write and draw the result.

Example:
    python -m benchmarks.score --json benchmarks/results/score.json
    python -m benchmarks.score --recipe climb --steps 10000000 --json benchmarks/results/climb.json
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.table import Table

from benchmarks.arms import Result, StudyConfig, run_study
from benchmarks.figures import figures_table
from benchmarks.study_curves import draw
from experiment.command_line import check_output, exit_code
from monitoring.console import print_table

Recipe = Literal["default", "climb"]
RECIPES: Mapping[Recipe, tuple[str, ...]] = {
    "default": (),
    "climb": (
        "--credit.way", "60", "--credit.opponent", "100", "--credit.damage", "40",
        "--credit.damage-warm-up", "0",
        "--ppo.gae-lambda", "0.95", "--ppo.reward-clip", "-1", "2",
        "--model.autoencoder.locator.count", "0", "--weights.newest", "1",
    ),
}  # fmt: skip
"""Flags of ``train.py``. ``climb`` leads onward, from floor to floor."""


@dataclass(frozen=True)
class ScoreConfig(StudyConfig):
    """Train several seeds and judge them; a run that is already there is resumed or reused."""

    runs: Path = Path("runs/score")
    """Directory of the runs: one directory for each recipe, in it one for each seed."""
    recipe: Recipe = "default"
    """How to train."""


def main() -> None:
    """Run the study, write JSON and plot, print the tables."""
    config = tyro.cli(ScoreConfig)
    plot = config.json.with_suffix(".png")
    check_output(plot)
    result = run_study("score", config, {config.recipe: RECIPES[config.recipe]})
    draw(result["arms"], plot)
    print_table(score_table(result))
    print_table(figures_table(result["arms"]))


def score_table(result: Result) -> Table:
    """Score and speed of every training, one row each."""
    table = Table("recipe", "seed", "mean", "95 % interval", "median", "training", "steps/s")
    for recipe, found in result["arms"].items():
        for one in found["trainings"]:
            low, high = one["ci95"]
            table.add_row(
                recipe,
                str(one["train_seed"]),
                f"{one['mean']:,.0f}",
                f"{low:,.0f} to {high:,.0f}",
                f"{one['median']:,.0f}",
                f"{one['train_seconds'] / 60:.1f} min",
                f"{one['steps'] / one['train_seconds']:,.0f}",
            )
    return table


if __name__ == "__main__":
    sys.exit(exit_code(main))
