"""What tracks, experts and a mask channel cost: the processor time of a training step with them.

The trainings take turns, update for update, in one process with one thread. So a machine that
becomes slower slows all. What is measured is processor time, and the first updates are left out, in
which the locator finds nothing yet.

Example:
    python -m benchmarks.learning_time --json benchmarks/results/learning_time.json
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import torch
import tyro
from rich.table import Table

from agent.collector import Collector
from benchmarks.provenance import provenance
from envs import make_env_parts
from experiment.allocator import keep_freed_memory
from experiment.command_line import check_output, exit_code, parse
from experiment.config import TrainConfig
from experiment.files import write_json
from experiment.model import make_rollout
from experiment.run_directory import RunDirectory
from experiment.training_state import TrainingState
from monitoring.console import print_table
from settings import Checked, Within

PARTS = ("playing", "learning")
ARMS: Mapping[str, Sequence[str]] = {
    "default": (),
    "without tracks": ("--model.autoencoder.locator.count", "0"),
    "five experts": ("--model.experts", "5"),
    "mask channel": ("--model.autoencoder.mask-channel",),
}
"""Flags of ``train.py`` by the name of the arm."""
COSTS = {
    "tracks": ("default", "without tracks"),
    "five experts": ("five experts", "default"),
    "mask channel": ("mask channel", "default"),
}
"""What costs something: the arm that has it, and the one that lacks it."""


@dataclass(frozen=True)
class LearningTimeConfig(Checked):
    """Measure the processor time of training steps with and without some remedies."""

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
        model = self._state.model
        self._rollout = make_rollout(config, model, config.ppo.num_steps, config.num_envs)
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
    found = measure(config)
    write_json(config.json, {**provenance("learning_time"), **found})
    table = Table("microseconds of a step", *(*PARTS, "both"))
    for name, spent in found["microseconds"].items():
        table.add_row(name, *(f"{one:.0f}" for one in spent.values()))
    for name, ratio in found["ratio"].items():
        table.add_row(f"ratio: {name}", *(f"{one:.3f}" for one in ratio.values()))
    print_table(table)


def measure(config: LearningTimeConfig) -> dict[str, Any]:
    """Let the trainings take turns.

    Returns:
        ``microseconds`` of a step by arm and part, medians over updates, and ``ratio`` by what
        costs something and part, medians over pairs of updates; ``both`` is both parts together.
    """
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    parts = (*PARTS, "both")
    with tempfile.TemporaryDirectory() as directory:
        trainees = {
            name: Trainee(parse(list(flags))[0], Path(directory) / name)
            for name, flags in ARMS.items()
        }
        for update in range(config.warm_up + config.updates):
            for name, trainee in trainees.items():
                took = trainee.update()
                if update >= config.warm_up:
                    spent[name].append(took | {"both": sum(took.values())})
        for trainee in trainees.values():
            trainee.close()
    return {
        "updates": config.updates,
        "microseconds": {
            name: {part: statistics.median(one[part] for one in all_of) for part in parts}
            for name, all_of in spent.items()
        },
        "ratio": {
            name: {
                part: statistics.median(
                    one[part] / other[part]
                    for one, other in zip(spent[there], spent[lacking], strict=True)
                )
                for part in parts
            }
            for name, (there, lacking) in COSTS.items()
        },
    }


if __name__ == "__main__":
    sys.exit(exit_code(main))
