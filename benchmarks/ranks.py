"""Several ranks beside one: speed on this machine, and what a model says of many machines.

In turns train: one rank with all cores, a rank for each core, and as many trainings at once that do
what a rank does but wait for nobody. What an average of all gradients costs in memory that ranks
share is measured on its own. A model says from the last two how fast the ranks should be, and from
the bytes of the gradients how the speed grows with the ranks at several speeds of the network, if
every rank has a core and games of its own.

Example:
    python -m benchmarks.ranks --json benchmarks/results/ranks.json
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.table import Table

from agent.ppo_config import PPOConfig
from agent.rendezvous import joined_ranks
from benchmarks.processes import TORCHRUN, train_ours
from benchmarks.provenance import provenance
from experiment.allocator import keep_freed_memory
from experiment.command_line import ROOT, check_output, exit_code
from experiment.config import TrainConfig
from experiment.files import write_json
from experiment.model import make_model
from monitoring.console import print_table
from settings import Checked, Within

NETWORKS = {"1 Gbit/s": 1e9 / 8, "10 Gbit/s": 1e10 / 8, "100 Gbit/s": 1e11 / 8}
"""Bytes a second."""
LATENCY = 50e-6
"""Seconds of a message between two machines: what a switched Ethernet takes, two kernels
included."""
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Ranks of the model."""
GAMES = 16
"""Of a rank."""
AVERAGES = 200
"""Averages of all gradients that are timed."""


@dataclass(frozen=True)
class RanksConfig(Checked):
    """Measure the speed of several ranks, and extrapolate it."""

    json: Path
    """File for the result, written after every round."""
    rounds: Annotated[int, Within(1, 1000)] = 5
    """How often each is measured."""
    steps: Annotated[int, Within(20_480, 10**9)] = 122_880
    """Agent steps of each training."""


def main() -> None:
    """Measure, extrapolate, write the JSON and print the tables."""
    if "WORLD_SIZE" in os.environ:  # started by ``average_seconds``
        time_averages()
        return
    config = tyro.cli(RanksConfig)
    check_output(config.json)
    cores = os.cpu_count() or 1
    rounds: list[dict[str, float]] = []
    result: dict[str, Any] = {}
    for _ in range(config.rounds):
        rounds.append(measure(config, cores))
        result = {**provenance("ranks"), "ranks": cores, "rounds": rounds, **summary(rounds)}
        write_json(config.json, result)
    result |= {"gradient_bytes": gradient_bytes(), "average_seconds": average_seconds(cores)}
    result |= model(result)
    write_json(config.json, result)
    show(result)


def measure(config: RanksConfig, cores: int) -> dict[str, float]:
    """Agent steps a second of all that train in turns; of trainings at once the sum."""
    several = "--num-envs", str(cores * GAMES)
    own = "--num-envs", str(GAMES), "--threads", "1"
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(cores) as pool:

        def speed(name: str, steps: int, flags: tuple[str, ...], *launcher: str) -> float:
            flags = *flags, "--total-steps", str(steps)
            return train_ours(Path(directory) / name, flags, launcher=launcher).steps_per_second

        def alone(core: int) -> float:
            return speed(f"alone_{core}", config.steps // cores, own)

        return {
            "one_rank": speed("one", config.steps, several),
            "ranks_of_one_core": speed("ranks", config.steps, several, *TORCHRUN, str(cores)),
            "trainings_of_one_core": sum(pool.map(alone, range(cores))),
        }


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Medians, and the median, lowest and highest ratio within a round."""
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    ratios = [one["ranks_of_one_core"] / one["one_rank"] for one in rounds]
    spread = [min(ratios), max(ratios)]
    return {**medians, "ratio": statistics.median(ratios), "spread": spread}


def gradient_bytes() -> int:
    """What an average of all gradients sends from each rank, at least once."""
    return 4 * sum(one.numel() for one in make_model(TrainConfig()).parameters())


def average_seconds(ranks: int) -> float:
    """Median time of an average of all gradients among ranks on this machine."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *TORCHRUN, str(ranks), "-m", "benchmarks.ranks"]
    done = subprocess.run(
        command, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)["seconds"]


def time_averages() -> None:
    """Average random gradients again and again; the first rank prints the median time."""
    keep_freed_memory()  # as a training does
    with joined_ranks() as ranks:
        gradients = [torch.randn_like(one) for one in make_model(TrainConfig()).parameters()]
        seconds: list[float] = []
        for _ in range(AVERAGES):
            started = time.perf_counter()
            ranks.average(gradients)
            seconds.append(time.perf_counter() - started)
        if ranks.first:
            print(json.dumps({"seconds": statistics.median(seconds)}))


def model(measured: dict[str, Any]) -> dict[str, Any]:
    """Agent steps a second: of the ranks that were measured, and by network and number of ranks.

    Every rank has a core and ``GAMES`` games. An update is the work of a training with one core,
    and an average for every minibatch. In a network a ring sends 2 (n - 1) / n times the gradients
    in 2 (n - 1) messages (Patarasuk & Yuan 2009). Waiting for the slowest rank is left out.

    Args:
        measured: ``ranks``, ``trainings_of_one_core``, ``gradient_bytes``, ``average_seconds``.
    """
    config = PPOConfig()
    steps = GAMES * config.num_steps
    averages = config.num_epochs * config.num_minibatches
    cores = measured["ranks"]
    work = cores * steps / measured["trainings_of_one_core"]
    here = cores * steps / (work + averages * measured["average_seconds"])
    found: dict[str, dict[str, float]] = {}
    for name, speed in NETWORKS.items():
        found[name] = {}
        for size in SIZES:
            sent = 2 * (size - 1) / size * measured["gradient_bytes"] / speed
            waited = averages * (sent + 2 * (size - 1) * LATENCY)
            found[name][str(size)] = size * steps / (work + waited)
    return {"modelled": here, "model": found}


def show(result: dict[str, Any]) -> None:
    """Print what was measured and what follows."""
    low, high = result["spread"]
    table = Table("agent steps a second", "")
    table.add_row("one rank, all cores", f"{result['one_rank']:,.0f}")
    table.add_row("a rank for each core", f"{result['ranks_of_one_core']:,.0f}")
    table.add_row("ratio", f"{result['ratio']:.2f} ({low:.2f} to {high:.2f})")
    table.add_row("trainings of one core, together", f"{result['trainings_of_one_core']:,.0f}")
    table.add_row("a rank for each core, by the model", f"{result['modelled']:,.0f}")
    table.add_row("gradients", f"{result['gradient_bytes'] / 2**20:.1f} MiB")
    table.add_row("an average of them", f"{1000 * result['average_seconds']:.1f} ms")
    print_table(table)
    table = Table("ranks", *NETWORKS, title="model: agent steps a second")
    for size in SIZES:
        table.add_row(str(size), *(f"{result['model'][name][str(size)]:,.0f}" for name in NETWORKS))
    print_table(table)


if __name__ == "__main__":
    sys.exit(exit_code(main))
