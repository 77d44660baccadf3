"""Speed of our training and evaluation, beside the emulator's ceiling and Stable-Baselines3.

Every round measures each of them once, one after the other: a machine that becomes slower slows all
of them. Trainings are processes of their own, started as a user starts them. They are measured from
their start, when play is random.

``ratio_to_sb3_a2c`` compares our default, PPO with the autoencoder, with A2C without one. Networks
and images differ too: ours has 8 and 32 channels on 64 x 144 pixels, theirs has 32, 64 and 64 on
84 x 84. ``ratio_a2c_to_sb3_a2c`` compares our A2C setting, with the autoencoder, with the same.

Example:
    python -m benchmarks.throughput --json benchmarks/results/throughput.json
"""

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.table import Table

from agent.ppo_config import PPOConfig
from benchmarks.processes import MeasuredTraining, run_for, train_ours, train_sb3
from benchmarks.provenance import provenance
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig
from envs.vector import make_emulators
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from monitoring.console import make_console, print_table
from settings import Checked, Within

GROWTH = (8, 16, 32, 64, 128)
"""Numbers of environments of the growth curve."""


@dataclass(frozen=True)
class ThroughputConfig(Checked):
    """Measure agent steps per second, side by side."""

    json: Path
    """File for the result."""
    rounds: Annotated[int, Within(1, 1000)] = 5
    """How often each contender is measured."""
    seconds: Annotated[float, Within(20, 3600)] = 40.0
    """Length of every training in a round, start-up included."""
    num_envs: Annotated[int, Within(1, 1024)] = 32
    """Games that the emulator plays at the same time where it is measured alone."""


def main() -> None:
    """Measure, write the JSON after every part, print the tables."""
    config = tyro.cli(ThroughputConfig)
    check_output(config.json)
    result: dict[str, Any] = {**provenance("throughput"), "rounds": []}

    def keep() -> None:
        write_json(config.json, result)

    for _ in range(config.rounds):
        result["rounds"].append(measure(config))
        result |= summary(result["rounds"])
        keep()
    result["breakdown"] = breakdown(config)
    keep()
    result["growth"] = growth()
    keep()
    show(result)


def measure(config: ThroughputConfig) -> dict[str, float]:
    """One round: figures by name."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        ours = train_ours(path / "ppo", [], config.seconds)
        a2c = train_ours(path / "a2c", ["--algorithm", "a2c"], config.seconds)
        sb3_a2c = train_sb3("a2c", 1, path / "sb3", config.seconds)
        sb3_ppo = train_sb3("ppo", 1, path / "sb3", config.seconds)
        return {
            "ceiling": ceiling(config.num_envs),
            "train": ours.steps_per_second,
            "train_a2c": a2c.steps_per_second,
            "evaluate": evaluation(path / "ppo", path / "evaluation.json"),
            "sb3_a2c": sb3_a2c.steps_per_second,
            "sb3_ppo": sb3_ppo.steps_per_second,
            "first_update_seconds": ours.points[0].seconds,
            "peak_rss_mib": ours.peak_rss_mib,
        }


def ceiling(num_envs: int, steps: int = 400) -> float:
    """Agent steps per second of the emulator alone: random actions, native RGB."""
    envs = make_emulators(EnvConfig(), num_envs)
    rng = np.random.default_rng(0)
    actions = rng.integers(GAME.num_actions, size=(steps, num_envs))
    envs.reset(seed=0)
    started = time.perf_counter()
    for step in range(steps):
        envs.step(actions[step])
    seconds = time.perf_counter() - started
    envs.close()
    return steps * num_envs / seconds


def evaluation(run_dir: Path, file: Path) -> float:
    """Agent steps per second of the games that ``evaluate.py`` plays, 30 by default."""
    run_for(["evaluate.py", "--checkpoint", str(run_dir), "--json", str(file)])
    (result,) = json.loads(file.read_text())
    return sum(result["lengths"]) / result["seconds"]


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Median, lowest and highest of every figure, and of the ratios within a round."""
    ratios = {
        "ratio_to_sb3_a2c": ("train", "sb3_a2c"),
        "ratio_a2c_to_sb3_a2c": ("train_a2c", "sb3_a2c"),
        "ratio_to_sb3_ppo": ("train", "sb3_ppo"),
        "ratio_to_ceiling": ("train", "ceiling"),
        "evaluate_to_ceiling": ("evaluate", "ceiling"),
    }
    figures = {name: [round_[name] for round_ in rounds] for name in rounds[0]}
    figures |= {
        name: [round_[one] / round_[other] for round_ in rounds]
        for name, (one, other) in ratios.items()
    }
    medians = {name: statistics.median(values) for name, values in figures.items()}
    return medians | {"spread": {name: [min(v), max(v)] for name, v in figures.items()}}


def growth() -> dict[str, Any]:
    """Train with few and many environments: speed, memory, and MiB for each environment.

    The number of minibatches stays the same, so they grow with the environments.
    """
    with tempfile.TemporaryDirectory() as directory:
        runs: dict[int, MeasuredTraining] = {}
        for count in GROWTH:
            steps = 10 * PPOConfig.num_steps * count  # ten updates
            flags = ["--num-envs", str(count), "--total-steps", str(steps)]
            runs[count] = train_ours(Path(directory) / str(count), flags)
    memory = [training.peak_rss_mib for training in runs.values()]
    return {
        "num_envs": list(GROWTH),
        "steps_per_second": [training.steps_per_second for training in runs.values()],
        "peak_rss_mib": memory,
        "mib_per_env": float(np.polyfit(GROWTH, memory, 1)[0]),
    }


def breakdown(config: ThroughputConfig) -> dict[str, float]:
    """Shares of a training step's time by part."""
    with tempfile.TemporaryDirectory() as directory:
        file, run_dir = Path(directory) / "shares.json", Path(directory) / "run"
        flags = ["--run-dir", str(run_dir), "--evaluation-games", "0"]
        run_for(["-m", "benchmarks.breakdown", str(file), *flags], config.seconds)
        return json.loads(file.read_text())["shares"]


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    spread = result["spread"]
    table = Table("figure", "median", "lowest", "highest")
    for name in spread:
        form = ",.0f" if result[name] >= 20 else ".2f"
        table.add_row(name, *(format(value, form) for value in (result[name], *spread[name])))
    print_table(table)
    table = Table("part of a training step", "share")
    for name, share in result["breakdown"].items():
        table.add_row(name, f"{share:.1%}")
    print_table(table)
    table = Table("environments", "steps/s", "peak MiB")
    columns = ("num_envs", "steps_per_second", "peak_rss_mib")
    for row in zip(*(result["growth"][column] for column in columns), strict=True):
        table.add_row(*(f"{value:,.0f}" for value in row))
    print_table(table)
    make_console().print(f"{result['growth']['mib_per_env']:.1f} MiB for each environment")


if __name__ == "__main__":
    sys.exit(exit_code(main))
