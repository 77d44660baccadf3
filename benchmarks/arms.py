"""A study: the same training with other flags, for several seeds, all judged alike.

Each set of flags is an arm. The result is written after every training. So a study can be made in
several sittings, and on several machines.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ClassVar, NamedTuple

from benchmarks.figures import figures
from benchmarks.provenance import commit, machine, provenance
from benchmarks.study_curves import curves
from envs import EnvConfig
from experiment.command_line import ROOT, check_output
from experiment.config import Steps
from experiment.errors import UserError
from experiment.files import write_json
from experiment.run_directory import RunDirectory
from settings import Checked, Seed, Within, to_json

COMMITS = "commits"
"""File in a run directory: the commit that trained it, and one more for every resumption."""
GAMES = 30
"""Whole games that judge a training."""
PROTOCOL = to_json(EnvConfig())
"""Of every game: the default."""
GAME_FLAG = "--env.game"
KEPT = ("steps", "train_seconds", "mean", "ci95", "median", "episodes", "seed", "scores")
"""What the result of a study keeps of an evaluation."""
Result = dict[str, Any]
"""Of a study: where it comes from, and ``arms``, each with its ``flags`` and ``trainings``."""


@dataclass(frozen=True)
class StudyConfig(Checked):
    """Train and judge every seed of every arm; a run that is already there is resumed or reused."""

    json: Path
    """File for the result, written after every training."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds to train."""
    steps: Steps = 500_000
    """Agent steps of each training."""
    runs: Path = Path("runs/study")
    """Directory of the runs: one directory for each arm, in it one for each seed."""
    parallel: Annotated[int, Within(1, 64)] = 2
    """Trainings at the same time, among which the cores are divided; their times are then no
    measure of speed."""
    add: bool = False
    """Keep the trainings that the file holds, whatever commit made them, and make only those that
    it lacks."""


@dataclass(frozen=True)
class ChosenArms(StudyConfig):
    """A study of some of the arms that there are."""

    CHOICES: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Flags of ``train.py`` by the name of the arm."""

    arms: tuple[str, ...] = ()
    """Which arms; all if none is named."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, what is allowed and the value."""
        super().__post_init__()
        for arm in self.arms:
            if arm not in self.CHOICES:
                raise UserError(f"arms must be of {', '.join(self.CHOICES)}, got {arm}")

    @property
    def chosen(self) -> dict[str, Sequence[str]]:
        """The arms with their flags."""
        return {arm: self.CHOICES[arm] for arm in self.arms or self.CHOICES}


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


def run_study(name: str, config: StudyConfig, arms: Mapping[str, Sequence[str]]) -> Result:
    """Train every seed of every arm, let it play, and write the result.

    Args:
        name: Module of the study.
        config: Seeds, steps, and where the files are.
        arms: Flags of ``train.py`` by the name of the arm.

    Returns:
        What the file holds.

    Raises:
        UserError: If a training fails or was judged under another protocol, or if the file holds
            what cannot be added to.
    """
    check_output(config.json)
    steps = ("--total-steps", str(config.steps))
    own = {arm: {"flags": [*steps, *flags], "trainings": []} for arm, flags in arms.items()}
    held = _held(config.json, own) if config.add and config.json.exists() else {}
    result: Result = {**provenance(name), "protocol": PROTOCOL, "arms": own | held}
    trainings = [
        Training(arm, tuple(own[arm]["flags"]), seed, config.runs / arm / f"seed_{seed}")
        for seed in config.seeds
        for arm in arms
        if seed not in [one["train_seed"] for one in result["arms"][arm]["trainings"]]
    ]
    for training in trainings:  # what cannot be compared is told before the long work
        if training.run.evaluation.exists():
            _evaluation(training)
    lock = Lock()

    def work(training: Training) -> None:
        judged = _judge(training, config.parallel)
        with lock:
            beside: list[Result] = result["arms"][training.arm]["trainings"]
            beside.append(judged)
            beside.sort(key=lambda one: one["train_seed"])
            write_json(config.json, result)

    with ThreadPoolExecutor(config.parallel) as pool:
        list(pool.map(work, trainings))
    return result


def _held(path: Path, own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The arms that a result holds; those of this study must have the same flags in it."""
    try:
        held: Result = json.loads(path.read_text())
        protocol, arms = held["protocol"], held["arms"]
        flags = {arm: one["flags"] for arm, one in arms.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"json must be the result of a study to add to, got {path}") from error
    if protocol != PROTOCOL:
        raise UserError(f"json must have been made under {PROTOCOL}, {path} under {protocol}")
    for arm in own.keys() & flags.keys():
        if flags[arm] != own[arm]["flags"]:
            raise UserError(
                f"json must hold trainings with the same flags, but in {path} those of {arm} are "
                f"{' '.join(flags[arm])}, not {' '.join(own[arm]['flags'])}"
            )
    return arms


def _judge(training: Training, parallel: int) -> Result:
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
    result = _evaluation(training)
    # A run that was started by hand has no such file.
    commits = run.path / COMMITS
    return {
        "train_seed": training.seed,
        "commits": commits.read_text().split() if commits.exists() else [],
        "machine": machine(),
        **{name: result[name] for name in KEPT},
        "figures": figures(result),
        "curves": curves(run.path),
    }


def _evaluation(training: Training) -> Result:
    """What a run's evaluation says.

    Raises:
        UserError: If it was made under another protocol: such scores cannot be compared.
    """
    path = training.run.evaluation
    try:
        result: Result = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no evaluation of a run: {error}") from error
    protocol: dict[str, Any] | None = result.get("protocol")
    asked = dict(PROTOCOL)
    if GAME_FLAG in training.flags:  # then the training has found the play area
        asked["game"] = training.flags[training.flags.index(GAME_FLAG) + 1]
        asked["play_area"] = (protocol or {}).get("play_area")
    if protocol != asked:
        raise UserError(
            f"runs must be judged under the protocol {asked}, but {path} has {protocol}"
        )
    return result


def note_commit(run_dir: Path) -> None:
    """Write the commit that is about to train into the run's directory."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / COMMITS).open("a") as file:
        print(commit(), file=file)


def figures_of(result: Result, arm: str, figure: str) -> list[float]:
    """A figure of every training of an arm, in the order of their seeds."""
    return [one["figures"][figure] for one in result["arms"][arm]["trainings"]]
