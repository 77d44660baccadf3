"""What does a trained agent lose, and gain, if units are removed from its network?

For every share of the units of each layer: score, knives dodged and hits in whole games, the share
of the artifacts that it still draws, numbers in the network, and the time of one pass over a batch
as a share of the whole network's, measured in turns.

Example:
    python -m benchmarks.pruning runs/kung_fu_master --json benchmarks/results/pruning.json
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import tyro
from rich.table import Table

from agent.rollout import Rollout
from benchmarks.figures import COLUMNS, cells, figures
from benchmarks.provenance import provenance
from encoders.fidelity import artifact_fidelity
from evaluation.evaluate_agent import evaluate_agent
from experiment.agent_rollout import agent_rollout
from experiment.command_line import check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from experiment.pruned_agent import write_pruned_agent
from experiment.trained_agent import TrainedAgent, load_agent
from monitoring.console import print_table
from settings import Checked, Within

SEED = 2_000_000
"""Of the games that judge; those in which units are watched have others."""
BATCH, TURNS = 256, 30
"""Observations in the pass that is timed, and how often it is."""


@dataclass(frozen=True)
class PruningConfig(Checked):
    """Judge agents from which units were removed."""

    agents: tyro.conf.Positional[tuple[Path, ...]]
    """Runs or checkpoints."""
    json: Path
    """File for the result, written after every agent."""
    shares: Annotated[tuple[float, ...], Within(0, 0.99)] = (0.0, 0.1, 0.25, 0.5, 0.75)
    """What is removed of each layer."""
    games: Annotated[int, Within(1, 10_000)] = 10
    """Whole games of each."""


def main() -> None:
    """Prune, judge, print the table and write the JSON."""
    config = tyro.cli(PruningConfig)
    if not config.agents:
        raise UserError("agents must be one or more runs or checkpoints, got none")
    check_output(config.json)
    agents = {str(path): load_agent(path) for path in config.agents}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, agent in agents.items():
        found[name] = judge(agent, config)
        result = {**provenance("pruning"), "games": config.games, "agents": found}
        write_json(config.json, result)
    table = Table("agent", "removed", "numbers", "time", "artifacts", *COLUMNS)
    for name, shares in found.items():
        for share, row in shares.items():
            kept = row["artifacts_kept"]
            own = [f"{row['numbers']:.0%}", f"{row['time']:.0%}"]
            own.append("-" if kept is None else f"{kept:.0%}")
            table.add_row(name, f"{float(share):.0%}", *own, *cells(row["figures"]))
    print_table(table)


def judge(agent: TrainedAgent, config: PruningConfig) -> dict[str, dict[str, Any]]:
    """Everything of one agent, by the share that is removed."""
    smaller: list[TrainedAgent] = []
    with tempfile.TemporaryDirectory() as directory:
        for share in config.shares:
            path = Path(directory) / f"{share}.safetensors"
            write_pruned_agent(agent, share, path)
            smaller.append(load_agent(path))
    rollout = agent_rollout(agent, SEED)
    whole = _numbers(agent)
    times = relative_times([agent, *smaller], rollout)[1:]
    found: dict[str, dict[str, Any]] = {}
    for share, one, seconds in zip(config.shares, smaller, times, strict=True):
        fidelity = artifact_fidelity(one.model.autoencoder, one.finder, *rollout.fidelity_sample())
        found[str(share)] = {
            "numbers": _numbers(one) / whole,
            "time": seconds,
            "artifacts_kept": fidelity.get("artifacts/recall"),
            "figures": figures(evaluate_agent(one, f"{share}", config.games, SEED)),
        }
    return found


@torch.no_grad()
def relative_times(agents: Sequence[TrainedAgent], rollout: Rollout) -> list[float]:
    """Median time of a pass of each network, as a share of the first one's, taken in turns."""
    index = torch.arange(min(BATCH, rollout.size))
    obs, gauges = rollout.observations(index), rollout.observation_gauges(index)
    seconds: list[list[float]] = [[] for _ in agents]
    for _ in range(TURNS):
        for agent, times in zip(agents, seconds, strict=True):
            started = time.perf_counter()
            agent.model.autoencoder.decode(agent.model(obs, gauges).latent)
            times.append(time.perf_counter() - started)
    return [median(times) / median(seconds[0]) for times in seconds]


def _numbers(agent: TrainedAgent) -> int:
    return sum(value.numel() for value in agent.model.state_dict().values())


if __name__ == "__main__":
    sys.exit(exit_code(main))
