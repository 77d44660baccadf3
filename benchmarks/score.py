"""Train with the defaults for several seeds, judge each, and write the result.

Example:
    python -m benchmarks.score --seeds 1 2 3 --json benchmarks/results/score.json
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.table import Table

from benchmarks.arms import PROTOCOL, arms_table, judge
from benchmarks.provenance import provenance
from experiment.command_line import check_output, exit_code
from experiment.config import Steps
from experiment.files import write_json
from monitoring.console import print_table
from settings import Checked, Seed, Within


@dataclass(frozen=True)
class ScoreConfig(Checked):
    """Train and judge several seeds; a run that is already there is resumed or reused."""

    json: Path
    """File for the result."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds to train."""
    steps: Steps = 500_000
    """Agent steps of each training."""
    runs: Path = Path("runs/score")
    """Directory of the runs."""
    parallel: Annotated[int, Within(1, 64)] = 1
    """Trainings at the same time; their times are then no measure of speed."""


def main() -> None:
    """Run the study, write the JSON and print the tables."""
    config = tyro.cli(ScoreConfig)
    check_output(config.json)
    arms = {f"steps_{config.steps}": ["--total-steps", str(config.steps)]}
    judged = judge(arms, config.seeds, config.runs, config.parallel)
    (results,) = judged.values()
    means = [result["mean"] for result in results]
    recalls = [recall for result in results if (recall := result["artifact_recall"]) is not None]
    summary = {
        **provenance("score"),
        "mean_over_seeds": float(np.mean(means)),
        "lowest_seed": float(np.min(means)),
        "artifact_recall_over_seeds": float(np.mean(recalls)) if recalls else None,
        "protocol": PROTOCOL,
        "parallel": config.parallel,
        "runs": results,
    }
    write_json(config.json, summary)
    table = Table("seed", "mean", "95 % interval", "median", "kept", "training", "steps/s")
    for result in results:
        low, high = result["ci95"]
        table.add_row(
            str(result["train_seed"]),
            f"{result['mean']:,.0f}",
            f"{low:,.0f} to {high:,.0f}",
            f"{result['median']:,.0f}",
            "-" if result["artifact_recall"] is None else f"{result['artifact_recall']:.1%}",
            f"{result['train_seconds'] / 60:.1f} min",
            f"{result['steps'] / result['train_seconds']:,.0f}",
        )
    print_table(table)
    print_table(arms_table(judged))


if __name__ == "__main__":
    sys.exit(exit_code(main))
