"""Arms of a study: the same training with other flags, for several seeds, all judged alike."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from benchmarks.provenance import commit
from envs import EnvConfig
from envs.kung_fu_master.ram import FULL_HEALTH
from experiment.command_line import ROOT
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from settings import to_json

COMMITS = "commits"
"""File in a run directory: the commit that trained it, and one more for every resumption."""
GAMES = 30
"""Whole games that judge a training."""
PROTOCOL = to_json(EnvConfig())
"""Of every game: the default."""
Judged = dict[str, Any]
"""A training that was judged: its seed, its commits, its evaluation and ``figures`` of it."""


class Training(NamedTuple):
    """One seed of one arm."""

    arm: str
    """Name of the arm."""
    flags: tuple[str, ...]
    """Its flags of ``train.py``."""
    seed: int
    """Of the training."""
    path: Path
    """Run directory."""

    @property
    def run(self) -> RunDirectory:
        """Where it is kept."""
        return RunDirectory(self.path)


def judge(
    arms: Mapping[str, Sequence[str]], seeds: Sequence[int], runs: Path, parallel: int
) -> dict[str, list[Judged]]:
    """Train every seed of every arm and let it play; what is there already is resumed or reused.

    Args:
        arms: Flags of ``train.py`` by the name of the arm.
        seeds: Of the trainings.
        runs: Directory of the runs: one directory for each arm, in it one for each seed.
        parallel: Trainings at the same time, among which the cores are divided.

    Returns:
        For each arm its trainings, in the order of the seeds.

    Raises:
        UserError: If a training fails or was judged under another protocol.
    """
    trainings = [
        Training(arm, tuple(flags), seed, runs / arm / f"seed_{seed}")
        for seed in seeds
        for arm, flags in arms.items()
    ]
    for training in trainings:  # what cannot be compared is told before the long work
        if training.run.evaluation.exists():
            evaluation(training.run)
    with ThreadPoolExecutor(parallel) as pool:
        judged = list(pool.map(_judge, trainings, repeat(parallel)))
    return {
        arm: [one for one, training in zip(judged, trainings, strict=True) if training.arm == arm]
        for arm in arms
    }


def _judge(training: Training, parallel: int) -> Judged:
    run = training.run
    if not run.evaluation.exists():
        command = [sys.executable, str(ROOT / "train.py"), "--run-dir", str(run.path)]
        command += ["--evaluation-games", str(GAMES)]
        command += ["--resume"] if run.begun() else ["--seed", str(training.seed), *training.flags]
        note_commit(run.path)
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // parallel))}
        output = None if parallel == 1 else subprocess.DEVNULL  # lines of several would mix
        done = subprocess.run(
            command, check=False, env=os.environ | threads, stdout=output, stderr=output
        )
        if done.returncode:
            raise UserError(
                f"seed {training.seed} of {training.arm} could not be trained in {run.path}"
            )
    result = evaluation(run)
    # A run that was started by hand has no such file.
    commits = run.path / COMMITS
    made_by = commits.read_text().split() if commits.exists() else []
    return {"train_seed": training.seed, "commits": made_by, **result, "figures": figures(result)}


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


def figures(result: Mapping[str, Any]) -> dict[str, float | None]:
    """Why a score is what it is.

    Args:
        result: An evaluation, with the facts of its games.

    Returns:
        ``score``, the mean; ``dodged``, ``dodged_high`` and ``dodged_low``, shares of the knives
        that were dodged or suffered; ``hits_per_1000_steps`` of all projectiles;
        ``steps_per_life``; ``reached_floor_2`` and ``boss_hit``, shares of the games;
        ``boss_energy``, the lowest of a game as a share of its whole, mean; ``floors_cleared``,
        mean of a game; ``recall``, live, at the end of the training. None where nothing was
        counted.
    """
    games: list[dict[str, Any]] = result["facts"]
    steps = sum(result["lengths"])

    def events(group: str, event: str, *kinds: str) -> int:
        return sum(
            counts[event]
            for game in games
            for kind, counts in game[group].items()
            if not kinds or kind in kinds
        )

    def dodged(*heights: str) -> float | None:
        good = events("knives", "dodged", *heights)
        return _share(good, good + events("knives", "suffered", *heights))

    lives = sum(sum(game["lives_lost"].values()) for game in games)
    return {
        "score": result["mean"],
        "dodged": dodged(),
        "dodged_high": dodged("high"),
        "dodged_low": dodged("low"),
        "hits_per_1000_steps": 1000 * events("projectiles", "suffered") / steps,
        "steps_per_life": _share(steps, lives),
        "reached_floor_2": float(np.mean([game["floors_cleared"] > 0 for game in games])),
        "boss_hit": float(np.mean([game["lowest_boss_energy"] < FULL_HEALTH for game in games])),
        "boss_energy": float(np.mean([game["lowest_boss_energy"] for game in games])) / FULL_HEALTH,
        "floors_cleared": float(np.mean([game["floors_cleared"] for game in games])),
        "recall": result["artifact_recall"],
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def arms_result(
    judged: Mapping[str, Sequence[Judged]], flags: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What a study keeps of its arms: the protocol, and the flags and trainings of each."""
    return {
        "protocol": PROTOCOL,
        "arms": {
            arm: {"flags": list(flags[arm]), "trainings": [_compact(one) for one in trainings]}
            for arm, trainings in judged.items()
        },
    }


def _compact(judged: Judged) -> dict[str, Any]:
    names = ("train_seed", "commits", "steps", "train_seconds", "episodes", "seed", "scores")
    return {name: judged[name] for name in names} | {"figures": judged["figures"]}


def arms_table(judged: Mapping[str, Sequence[Judged]]) -> Table:
    """The figures of every training, one row each."""
    table = Table(
        "arm", "seed", "score", "knives dodged", "high", "low", "hits in 1,000 steps",
        "steps a life", "reached floor 2", "floors cleared", "boss hit", "kept",
    )  # fmt: skip
    for arm, trainings in judged.items():
        for one in trainings:
            found = one["figures"]
            table.add_row(
                arm,
                str(one["train_seed"]),
                f"{found['score']:,.0f}",
                *(_percent(found[name]) for name in ("dodged", "dodged_high", "dodged_low")),
                f"{found['hits_per_1000_steps']:.1f}",
                "-" if found["steps_per_life"] is None else f"{found['steps_per_life']:,.0f}",
                _percent(found["reached_floor_2"]),
                f"{found['floors_cleared']:.1f}",
                _percent(found["boss_hit"]),
                _percent(found["recall"]),
            )
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
