"""Train a knife-aware agent on Kung-Fu Master."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import cattrs
import numpy as np
import torch
import tyro
from rich.console import Console

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.checkpoint import Checkpoint
from agent.collector import Collector
from agent.counters import Counters
from agent.errors import UserError
from agent.evaluation import EVALUATION_SEED, MAX_PARALLEL, play_games, report, score_table
from agent.fidelity import artifact_fidelity
from agent.interrupt import StopRequest
from agent.memory import keep_freed_memory
from agent.monitor import Monitor
from agent.ppo import PPO, NonFiniteLossError, PPOConfig
from agent.progress import ProgressLine
from agent.rollout import Rollout
from encoders import ArtifactDetector, ArtifactDetectorConfig, ArtifactWeightsConfig
from envs import (
    NUM_ACTIONS,
    OBSERVATION_SHAPE,
    EnvConfig,
    Projection,
    calibrate,
    make_halves,
)

A2C = PPOConfig(num_steps=8, num_epochs=1, num_minibatches=1, normalize_advantages=False)
"""Defaults of the ``ppo`` group under ``--algorithm a2c``."""
CHANGEABLE = {
    "resume", "run_dir", "total_steps", "num_envs", "device",
    "image_interval", "checkpoint_interval", "evaluation_games",
}  # fmt: skip
"""Fields that may differ between a run and its resumption."""


@dataclass(frozen=True)
class TrainConfig:
    """Train a knife-aware agent on Kung-Fu Master.

    Lengths of time are in agent steps (four emulator frames each), summed over environments.
    """

    run_dir: Path = Path("runs/kung_fu_master")
    """Directory of the run: config, TensorBoard events, checkpoints, final evaluation."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on from the latest checkpoint in ``run_dir``; other flags may then only change
    ``total-steps``, ``num-envs``, ``device``, ``evaluation-games`` and the intervals."""
    seed: int = 1
    """Seed of everything random."""
    total_steps: int = 500_000
    """Agent steps after which training ends."""
    num_envs: int = 32
    """Games played at the same time."""
    device: str = "cpu"
    """Where the network runs: cpu, cuda or cuda:N."""
    algorithm: Literal["ppo", "a2c"] = "ppo"
    """PPO, or A2C: the same learner with one epoch over one minibatch of a short rollout. Sets the
    defaults of the ``ppo`` group."""
    image_interval: int = 25_000
    """Steps between two image grids in TensorBoard."""
    checkpoint_interval: int = 50_000
    """Steps between two checkpoints."""
    evaluation_games: int = 30
    """Whole games played at the end; 0 for none."""
    env: EnvConfig = field(default_factory=EnvConfig)
    model: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    detector: ArtifactDetectorConfig = field(default_factory=ArtifactDetectorConfig)
    weights: ArtifactWeightsConfig = field(default_factory=ArtifactWeightsConfig)

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, its value and what is allowed."""
        for name in ("total_steps", "num_envs", "image_interval", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be from 0 to 2**32 - 1, got {self.seed}")
        if self.evaluation_games < 0:
            raise UserError(f"evaluation_games must be at least 0, got {self.evaluation_games}")
        if self.ppo.num_steps % OBSERVATION_SHAPE[0]:
            raise UserError(
                f"ppo.num_steps must be a multiple of {OBSERVATION_SHAPE[0]}, "
                f"got {self.ppo.num_steps}"
            )
        fewest = self.ppo.num_steps // OBSERVATION_SHAPE[0] * self.num_envs
        if self.ppo.num_minibatches > fewest:
            raise UserError(
                f"ppo.num_minibatches must be at most {fewest} "
                f"(num_envs * ppo.num_steps / 4), got {self.ppo.num_minibatches}"
            )
        if self.algorithm == "a2c" and (self.ppo.num_epochs, self.ppo.num_minibatches) != (1, 1):
            raise UserError(
                "algorithm a2c needs ppo.num_epochs 1 and ppo.num_minibatches 1, "
                f"got {self.ppo.num_epochs} and {self.ppo.num_minibatches}"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns 0, 2 for a user's mistake, 1 for a failed run, 130 if interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        config, resumed = parse(argv)
        device = available_device(config.device)
        train(config, device, resumed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except NonFiniteLossError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from the last checkpoint, if any", file=sys.stderr)
        return 130
    return 0


def parse(argv: Sequence[str]) -> tuple[TrainConfig, Checkpoint | None]:
    """Command line to config; with ``--resume`` the checkpoint's config gives the defaults.

    Raises:
        UserError: If there is nothing to resume, or a flag would change what was trained.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--run-dir", "--run_dir", type=Path, default=TrainConfig.run_dir)
    early.add_argument("--resume", action="store_true")
    early.add_argument("--algorithm", default="ppo")
    chosen, _ = early.parse_known_args(argv)
    if not chosen.resume:
        a2c = TrainConfig(ppo=A2C, algorithm="a2c")
        default = a2c if chosen.algorithm == "a2c" else TrainConfig()
        return tyro.cli(TrainConfig, default=default, args=argv), None
    resumed = checkpoints.load(chosen.run_dir)
    saved = resumed.read(TrainConfig, "config")
    config = tyro.cli(
        TrainConfig, default=replace(saved, run_dir=chosen.run_dir, resume=False), args=argv
    )
    for (name, new), old in zip(flat(config).items(), flat(saved).values(), strict=True):
        if new != old and name not in CHANGEABLE:
            raise UserError(f"{name} cannot change on resume: the run has {old}, got {new}")
    return config, resumed


def flat(config: TrainConfig) -> dict[str, Any]:
    """Every field by its dotted name, as JSON knows it."""

    def walk(fields: dict[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, dict):
                found |= walk(cast(dict[str, Any], value), f"{prefix}{name}.")
            else:
                found[prefix + name] = value
        return found

    return walk(cattrs.unstructure(config), "")


def available_device(name: str) -> torch.device:
    """The device called ``name``.

    Raises:
        UserError: If this machine has none of that name.
    """
    found = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name not in found and not (name == "cuda" and len(found) > 1):
        raise UserError(f"device {name} is not available; this machine has {', '.join(found)}")
    device = torch.device(name)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # the random state that checkpoints save is this device's
    return device


def claim(config: TrainConfig, resumed: Checkpoint | None) -> None:
    """Make the run directory and write config.json into it.

    Raises:
        UserError: If it holds another run or cannot be written.
    """
    path = config.run_dir / "config.json"
    try:
        if not resumed and checkpoints.numbered(config.run_dir):
            raise UserError(
                f"run_dir {config.run_dir} already holds a run; go on with --resume "
                "or choose another"
            )
        if not resumed and path.exists():
            raise UserError(
                f"run_dir {config.run_dir} holds a run that ended before its first checkpoint; "
                "delete it or choose another"
            )
        config.run_dir.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(cattrs.unstructure(config), indent=2) + "\n")
    except OSError as error:
        raise UserError(f"run_dir {config.run_dir} cannot be written: {error.strerror}") from error


def train(config: TrainConfig, device: torch.device, resumed: Checkpoint | None) -> None:
    """Build everything, run the loop, evaluate.

    Raises:
        NonFiniteLossError: If a loss or gradient is NaN or infinite; names the last checkpoint.
        UserError: If the checkpoint does not fit or the run directory cannot be used.
    """
    keep_freed_memory()
    console = Console(soft_wrap=True)  # commands stay whole, to be copied
    torch.manual_seed(config.seed)
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, config.model).to(device)
    ppo = PPO(model, config.ppo, config.weights)
    counters = resumed.read(Counters, "counters") if resumed else Counters()
    # Each resumption plays other games than the run has seen, and no two seeds share a game.
    sequence = np.random.SeedSequence((config.seed, counters.updates))
    game_seed = int(sequence.generate_state(1)[0] >> 2)
    if resumed:
        projection = resumed.read(Projection, "projection")
        checkpoints.restore(resumed, model, ppo.optimizer)
        console.print(f"resuming {resumed.path} at {counters.steps:,} steps")
        claim(config, resumed)
    else:
        claim(config, resumed)
        projection = calibrate(config.env, game_seed)
        console.print(describe(projection))
    rollout = Rollout(config.ppo.num_steps, config.num_envs, OBSERVATION_SHAPE, device)
    envs = make_halves(config.env, projection, config.num_envs)
    detector = ArtifactDetector(config.detector)
    collector = Collector(envs, model, detector, rollout, game_seed)
    if not resumed:
        model.normalizer.update(rollout.frames[0])
    monitor = Monitor(config.run_dir / "tensorboard", counters.steps)
    progress = ProgressLine(console, counters.steps, config.total_steps)
    stop = StopRequest()
    clock = time.monotonic()

    def save() -> Path:
        tensors = checkpoints.capture(model, ppo.optimizer)
        recent = float(np.mean(counters.recent)) if counters.recent else 0.0
        is_best = recent > counters.best
        counters.best = max(counters.best, recent)
        state = {
            "config": cattrs.unstructure(config),
            "projection": cattrs.unstructure(projection),
            "counters": cattrs.unstructure(counters),
        }
        path = checkpoints.save_numbered(config.run_dir, counters.steps, tensors, state)
        if is_best:
            checkpoints.save_best(config.run_dir, tensors, state)
        return path

    try:
        while counters.steps < config.total_steps and not stop.requested:
            before = counters.steps
            episodes = collector.collect()
            metrics = ppo.update(rollout, before, before / config.total_steps)
            fidelity = artifact_fidelity(model, detector, rollout)
            elapsed = time.monotonic() - clock  # since the last update: saving and drawing count
            clock += elapsed
            metrics |= counters.count(rollout.size, elapsed, episodes, fidelity)
            monitor.scalars(metrics, counters.steps)
            monitor.remember(rollout)
            progress.update(counters.steps, metrics)
            if passed(config.image_interval, before, counters.steps):
                monitor.reconstructions(model, rollout, config.weights, counters.steps)
            if passed(config.checkpoint_interval, before, counters.steps):
                save()
    except NonFiniteLossError as error:
        saved = checkpoints.numbered(config.run_dir)
        last = saved[-1] if saved else "none was written yet"
        raise NonFiniteLossError(f"{error}; last good checkpoint: {last}") from error
    finally:
        progress.stop()
        monitor.close()
        for half in envs:
            half.close()
        stop.close()
    finish(config, projection, model, save(), counters, console)


def describe(projection: Projection) -> str:
    """What the calibration found, for the terminal."""
    colours = ", ".join(map(str, projection.artifacts))
    if not colours:
        return "warning: random play shows no small thing that flies alone; nothing will be found"
    return f"colours of small things that fly alone: {colours}"


def passed(interval: int, before: int, after: int) -> bool:
    """Whether a multiple of ``interval`` lies in (before, after]."""
    return before // interval < after // interval


def finish(
    config: TrainConfig,
    projection: Projection,
    model: ActorCritic,
    latest: Path,
    counters: Counters,
    console: Console,
) -> None:
    """Say how to go on; after a whole training also evaluate it."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    run = f"{python} train.py --run-dir {config.run_dir} --resume"
    if counters.steps < config.total_steps:
        console.print(f"stopped at {counters.steps:,} steps, saved {latest}\nto go on: {run}")
        return
    minutes = counters.seconds / 60
    console.print(f"trained {counters.steps:,} steps in {minutes:.1f} minutes: {latest}")
    if counters.recall:
        recall, ghosts = np.mean(counters.recall), np.mean(counters.ghost_rate)
        console.print(
            f"the reconstruction keeps {recall:.1%} of the artifacts "
            f"and has one in {ghosts:.1%} of the frames without any"
        )
    if config.evaluation_games:
        console.print(f"playing {config.evaluation_games} whole games ...")
        envs = make_halves(config.env, projection, min(config.evaluation_games, MAX_PARALLEL))
        started = time.monotonic()
        episodes = play_games(envs, model, config.evaluation_games, EVALUATION_SEED)
        seconds = time.monotonic() - started
        for half in envs:
            half.close()
        result = report(episodes, EVALUATION_SEED, seconds, cattrs.unstructure(counters))
        (config.run_dir / "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
        console.print(score_table(result))
    console.print(
        f"to train longer: {run} --total-steps {2 * counters.steps}\n"
        f"to watch it play: {python} evaluate.py --checkpoint {config.run_dir} --video game.mp4"
    )


if __name__ == "__main__":
    sys.exit(main())
