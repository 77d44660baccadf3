"""What is it worth in other games that an encoder keeps the small objects? Scores of twins.

In each game one agent has the default, which keeps them, the other the uniform loss and no tracks.
All else is the same. No agent has any help: the reward is the game's own.

Example:
    python -m benchmarks.games_training --json benchmarks/results/games_training.json
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.table import Table

from benchmarks.arms import GAME_FLAG, Result, StudyConfig, figures_of, run_study
from benchmarks.does_seeing_pay import UNIFORM
from envs import find_game
from evaluation.statistics import difference
from experiment.command_line import exit_code
from experiment.config import Steps
from experiment.files import write_json
from monitoring.console import print_table
from settings import Seed

TWINS: Mapping[str, Sequence[str]] = {"default": (), "uniform": UNIFORM}
"""Flags of ``train.py`` beside the game."""


@dataclass(frozen=True)
class GamesTrainingConfig(StudyConfig):
    """Train and judge twins in several games; a run that is already there is resumed or reused."""

    games: tuple[str, ...] = ("breakout", "pong", "space_invaders", "riverraid")
    """Games to play."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds to train."""
    steps: Steps = 300_000
    """Agent steps of each training."""
    runs: Path = Path("runs/games_training")
    """Directory of the runs: one directory for each arm, in it one for each seed."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        for game in self.games:
            find_game(game)


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(GamesTrainingConfig)
    arms = {
        f"{game}_{twin}": (GAME_FLAG, game, *flags)
        for game in config.games
        for twin, flags in TWINS.items()
    }
    result = run_study("games_training", config, arms)
    differences = {
        game: difference(*(figures_of(result, f"{game}_{twin}", "score") for twin in TWINS))
        for game in config.games
    }
    write_json(config.json, {**result, "default_less_uniform": differences})
    print_table(_table(result, differences))


def _table(result: Result, differences: Mapping[str, Sequence[float]]) -> Table:
    table = Table("", "score", "uniform", "kept", "uniform", "less uniform", "95 % interval")
    for game, (mean, low, high) in differences.items():
        scores, recalls = (
            [_mean(figures_of(result, f"{game}_{twin}", figure)) for twin in TWINS]
            for figure in ("score", "recall")
        )
        cells = [f"{score:,.1f}" for score in scores] + [f"{recall:.1%}" for recall in recalls]
        cells += [f"{mean:,.1f}", f"{low:,.1f} to {high:,.1f}"]
        table.add_row(find_game(game).title, *cells)
    return table


def _mean(values: Sequence[float | None]) -> float:
    """Of those that are known; not a number if none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


if __name__ == "__main__":
    sys.exit(exit_code(main))
