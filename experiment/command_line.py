"""Command lines: flags to configs, what a resumption may change, mistakes to one line."""

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
import tyro

from agent.ppo import PPO, NonFiniteLossError
from agent.ranks import LostRankError
from agent.threads import StalledError
from encoders import make_finder
from envs import EnvConfig, Projection, playable_roms
from experiment.checkpoint import (
    Checkpoint,
    restore_model,
    restore_optimizer,
)
from experiment.config import A2C, ANY_GAME, TrainConfig
from experiment.errors import UserError
from experiment.files import SaveError, why_not_writable
from experiment.model import make_model
from experiment.run_directory import RunDirectory, load_checkpoint
from experiment.run_statistics import RunStatistics
from experiment.sources import training_sources
from experiment.streams import lenient_streams
from settings import Role, flat, names_with, to_json

ROOT = Path(__file__).parents[1]
"""Of the repository, where the commands are."""


def exit_code(command: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Run a command; returns its exit code.

    What the command itself returns, or 0; 2 for a user's mistake; 1 if losses stay not finite, a
    result cannot be written, the games hang or a rank is lost; 130 after Ctrl-C. Each of these
    prints one line. Nothing that is printed can end the command.
    """
    with lenient_streams():
        try:
            return command() or 0
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except (LostRankError, NonFiniteLossError, SaveError, StalledError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(interrupted, file=sys.stderr)
            return 130


def parse(argv: Sequence[str]) -> tuple[TrainConfig, Checkpoint | None]:
    """The command line of a training to its config; with ``--resume`` the run gives the defaults.

    Returns:
        The config, and the checkpoint from which to go on: None for a new run, and for one that
        was ended before its first checkpoint.

    Raises:
        UserError: If there is nothing to resume, or a flag would change what was trained.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--env.game", dest="game", default=EnvConfig.game)
    early.add_argument("--run-dir", "--run_dir", type=Path)
    early.add_argument("--resume", action="store_true")
    early.add_argument("--algorithm", default="ppo")
    try:
        chosen, _ = early.parse_known_args(argv)
    except argparse.ArgumentError:  # a flag without its value, which tyro will name
        chosen = early.parse_args([])
    # tyro will name a game that there is not.
    game = chosen.game if chosen.game in playable_roms() else EnvConfig.game
    own_dir = TrainConfig.run_dir.with_name(game)
    if not chosen.resume:
        default = (
            TrainConfig(ppo=A2C, algorithm="a2c") if chosen.algorithm == "a2c" else TrainConfig()
        )
        if game != EnvConfig.game:
            found = replace(default.ppo, reward_scale=0.0)
            other = {"env": EnvConfig(game=game), "ppo": found, "detector": ANY_GAME}
            default = replace(default, run_dir=own_dir, **other)
        return tyro.cli(TrainConfig, default=default, args=argv), None
    try:
        run = RunDirectory(TrainConfig(run_dir=chosen.run_dir or own_dir).run_dir)
    except ValueError as error:  # as tyro would say of a path that cannot be
        raise UserError(str(error)) from error
    if run.ended_early():
        resumed, saved = None, run.read_config()
    else:
        resumed = load_checkpoint(run.path, check_resumable)
        saved = resumed.read(TrainConfig, "config")
    default = replace(saved, run_dir=run.path, resume=False)
    config = tyro.cli(TrainConfig, default=default, args=argv)
    changeable = names_with(TrainConfig, Role.NEUTRAL, Role.EXTENDABLE)
    old = flat(to_json(saved))
    for name, new in flat(to_json(config)).items():
        if new != old[name] and name not in changeable:
            raise UserError(f"{name} cannot change on resume: the run has {old[name]}, got {new}")
    return config, resumed


def check_resumable(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError unless a training can go on from ``checkpoint``."""
    config = checkpoint.read(TrainConfig, "config")
    finder = make_finder(config.detector, checkpoint.read(Projection, "projection"))
    checkpoint.check_made_with(training_sources(config.env, finder))
    checkpoint.read(RunStatistics, "statistics")
    model = make_model(config)
    restore_model(checkpoint, model)
    restore_optimizer(checkpoint, PPO(model, config.ppo, config.weights, config.credit).optimizer)


def available_device(name: str) -> torch.device:
    """The device called ``name``: cpu, cuda (the first GPU) or cuda:N.

    Raises:
        UserError: If this machine has none of that name.
    """
    gpus = torch.cuda.device_count()
    if name == "cpu":
        return torch.device("cpu")
    if found := re.fullmatch(r"cuda(?::(\d{1,4}))?", name):
        index = int(found[1] or 0)
        if index < gpus:
            torch.cuda.set_device(index)  # it takes no name without a number
            return torch.device("cuda", index)
    there = ", ".join(["cpu", *(f"cuda:{index}" for index in range(gpus))])
    raise UserError(f"device {name} is not available; this machine has {there}")


def resume_command(run_dir: Path) -> str:
    """What goes on with a run, to be copied and used in any directory."""
    return _command("train.py", "--run-dir", run_dir, "--resume")


def evaluate_command(run_dir: Path) -> str:
    """What makes a video of a run's agent in the present directory, to be copied."""
    return _command("evaluate.py", "--checkpoint", run_dir, "--video", "game.mp4")


def install_command(extra: str) -> str:
    """What installs an extra of this package, to be copied and used in any directory."""
    return shlex.join([sys.executable, "-m", "pip", "install", "-e", f"{ROOT}[{extra}]"])


def _command(script: str, flag: str, run_dir: Path, *rest: str) -> str:
    with suppress(OSError):  # the working directory was deleted
        run_dir = run_dir.absolute()
    return shlex.join([sys.executable, str(ROOT / script), flag, str(run_dir), *rest])


def check_output(path: Path, name: str = "json") -> None:
    """Make the directory of a result before the long work.

    Args:
        path: File for the result.
        name: Of the flag that gave it.

    Raises:
        UserError: If ``path`` cannot be written.
    """
    with suppress(OSError, ValueError):  # what is wrong is told below
        path.parent.mkdir(parents=True, exist_ok=True)
    if why := why_not_writable(path):
        raise UserError(f"{name} must be a file that can be written, got {path}: {why}")
