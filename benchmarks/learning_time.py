"""What tracks cost: the processor time of a training step with and without them.

Two trainings take turns, update for update, in one process with one thread. So a machine that
becomes slower slows both. What is measured is processor time, and the first updates are left out,
in which the locator finds nothing yet.

Example:
    python -m benchmarks.learning_time --json benchmarks/results/learning_time.json
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import torch
import tyro
from rich.table import Table

from agent.collector import Collector
from agent.rollout import Rollout
from benchmarks.provenance import provenance
from encoders import LocatorConfig
from envs import game_of, make_env_parts
from experiment.allocator import keep_freed_memory
from experiment.command_line import check_output, exit_code
from experiment.config import TrainConfig
from experiment.files import write_json
from experiment.run_directory import RunDirectory
from experiment.training_state import TrainingState
from monitoring.console import print_table
from settings import Checked, Within

PARTS = ("playing", "learning")


@dataclass(frozen=True)
class LearningTimeConfig(Checked):
    """Measure the processor time of training steps with and without tracks."""

    json: Path
    """File for the result."""
    updates: Annotated[int, Within(1, 10_000)] = 40
    """Updates that are measured."""
    warm_up: Annotated[int, Within(0, 10_000)] = 30
    """Updates before them."""


class Trainee:
    """A training without run directory and monitor: it plays and learns."""

    def __init__(self, config: TrainConfig, directory: Path) -> None:
        """Start the games, two parts in threads of their own, as ``train.py`` does."""
        self._config = config
        self._state = TrainingState(
            config, torch.device("cpu"), RunDirectory(directory), resumed=None
        )
        model, game = self._state.model, game_of(config.env)
        self._rollout = Rollout(
            config.ppo.num_steps, config.num_envs, game.obs_shape, torch.device("cpu"),
            len(game.gauge_names), model.autoencoder.track_units,
        )  # fmt: skip
        self._envs = make_env_parts(config.env, self._state.projection, config.num_envs)
        self._collector = Collector(
            self._envs, model, self._state.finder, self._rollout, config.game_seed(0)
        )
        model.autoencoder.fit_normalizer(self._rollout.frames[0])
        self._steps = 0

    def update(self) -> dict[str, float]:
        """Play and learn once; microseconds of processor time for a step, by part."""
        begun = time.process_time()
        self._collector.collect()
        played = time.process_time()
        self._state.ppo.update(self._rollout, self._steps, self._steps / self._config.total_steps)
        learned = time.process_time()
        self._steps += self._rollout.size
        seconds = zip(PARTS, (played - begun, learned - played), strict=True)
        return {part: 1e6 * spent / self._rollout.size for part, spent in seconds}

    def close(self) -> None:
        """End the games."""
        for envs in self._envs:
            envs.close()


def main() -> None:
    """Measure, write the JSON, print the table."""
    config = tyro.cli(LearningTimeConfig)
    check_output(config.json)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    default = TrainConfig()
    autoencoder = replace(default.model.autoencoder, locator=LocatorConfig(count=0))
    without = replace(default, model=replace(default.model, autoencoder=autoencoder))
    found = measure({"with tracks": default, "without": without}, config)
    write_json(config.json, {**provenance("learning_time"), **found})
    table = Table("microseconds of a step", *found["microseconds"], "ratio")
    for part in PARTS:
        cells = [f"{one[part]:.0f}" for one in found["microseconds"].values()]
        table.add_row(part, *cells, f"{found['ratio'][part]:.3f}")
    table.add_row("both", *[""] * len(found["microseconds"]), f"{found['ratio']['both']:.3f}")
    print_table(table)


def measure(arms: Mapping[str, TrainConfig], config: LearningTimeConfig) -> dict[str, Any]:
    """Let two trainings take turns.

    Returns:
        ``microseconds`` of a step by arm and part, medians over updates; ``ratio`` of the first arm
        to the second by part, and of ``both`` parts together, medians over pairs of updates.
    """
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in arms}
    with tempfile.TemporaryDirectory() as directory:
        trainees = {name: Trainee(arm, Path(directory) / name) for name, arm in arms.items()}
        for update in range(config.warm_up + config.updates):
            for name, trainee in trainees.items():
                took = trainee.update()
                if update >= config.warm_up:
                    spent[name].append(took | {"both": sum(took.values())})
        for trainee in trainees.values():
            trainee.close()
    first, second = spent.values()
    return {
        "updates": config.updates,
        "microseconds": {
            name: {part: statistics.median(one[part] for one in all_of) for part in PARTS}
            for name, all_of in spent.items()
        },
        "ratio": {
            part: statistics.median(
                one[part] / other[part] for one, other in zip(first, second, strict=True)
            )
            for part in (*PARTS, "both")
        },
    }


if __name__ == "__main__":
    sys.exit(exit_code(main))
