"""Train with the defaults for several seeds, judge each, and write the result.

Example:
    python -m benchmarks.score --seeds 1 2 3 --json benchmarks/results/score.json
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.table import Table

from benchmarks.provenance import commit, provenance
from envs import EnvConfig
from experiment.command_line import ROOT, check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from experiment.run_directory import RunDirectory
from monitoring.console import print_table
from settings import Checked, Seed, to_json

COMMITS = "commits"
"""File in a run directory: the commit that trained it, and one more for every resumption."""
GAMES = 30
"""Whole games that judge a seed."""
PROTOCOL = to_json(EnvConfig())
"""Of every game: the default."""


@dataclass(frozen=True)
class ScoreConfig(Checked):
    """Train and judge several seeds; a run that is already there is resumed or reused."""

    json: Path
    """File for the result."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds to train."""
    runs: Path = Path("runs/score")
    """Directory of the runs, one directory a seed."""


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(ScoreConfig)
    check_output(config.json)
    for seed in config.seeds:  # what cannot be compared is told before the long work
        if run_of(seed, config).evaluation.exists():
            evaluation(run_of(seed, config))
    results = [train(seed, config) for seed in config.seeds]
    means = [result["mean"] for result in results]
    recalls = [recall for result in results if (recall := result["artifact_recall"]) is not None]
    summary = {
        **provenance("score"),
        "mean_over_seeds": float(np.mean(means)),
        "lowest_seed": float(np.min(means)),
        "artifact_recall_over_seeds": float(np.mean(recalls)) if recalls else None,
        "protocol": PROTOCOL,
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


def train(seed: int, config: ScoreConfig) -> dict[str, Any]:
    """Train one seed unless its evaluation is there already; returns the evaluation."""
    run = run_of(seed, config)
    if not run.evaluation.exists():
        command = [sys.executable, str(ROOT / "train.py"), "--run-dir", str(run.path)]
        command += ["--evaluation-games", str(GAMES)]
        command += ["--resume"] if run.begun() else ["--seed", str(seed)]
        note_commit(run.path)
        if subprocess.run(command, check=False).returncode:
            raise UserError(f"seed {seed} could not be trained in {run.path}; see above")
    result = evaluation(run)
    # A run that was started by hand has no such file.
    commits = run.path / COMMITS
    made_by = commits.read_text().split() if commits.exists() else []
    return {"train_seed": seed, "commits": made_by, **result}


def run_of(seed: int, config: ScoreConfig) -> RunDirectory:
    """Where a seed is trained."""
    return RunDirectory(config.runs / f"seed_{seed}")


def evaluation(run: RunDirectory) -> dict[str, Any]:
    """What a run's evaluation says.

    Raises:
        UserError: If it was made under another protocol: such scores cannot be compared.
    """
    try:
        result: dict[str, Any] = json.loads(run.evaluation.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{run.evaluation} is no evaluation of a run: {error}") from error
    if result.get("protocol") != PROTOCOL:
        raise UserError(
            f"runs must be judged under the protocol {PROTOCOL}, "
            f"but {run.evaluation} has {result.get('protocol')}"
        )
    return result


def note_commit(run_dir: Path) -> None:
    """Write the commit that is about to train into the run's directory."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / COMMITS).open("a") as file:
        print(commit(), file=file)


if __name__ == "__main__":
    sys.exit(exit_code(main))
