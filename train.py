"""Train a knife-aware agent on Kung-Fu Master."""

import json
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import cattrs
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from rich.console import Console

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic
from agent.checkpoint import Checkpoint, SaveError
from agent.collector import Collector
from agent.counters import Counters
from agent.errors import UserError
from agent.evaluation import EVALUATION_SEED, MAX_PARALLEL, play_games
from agent.fidelity import artifact_fidelity
from agent.film import film
from agent.interrupt import EXIT_CODES, StopRequest
from agent.memory import keep_freed_memory
from agent.monitor import Monitor
from agent.ppo import PPO, NonFiniteLossError
from agent.progress import ProgressLine
from agent.report import report, table
from agent.rollout import Rollout
from agent.run_lock import RunLock
from agent.saver import Saver, best_score
from agent.seen import SeenGame
from config import CHANGEABLE, TrainConfig, check_resumable, flat, parse
from encoders import ArtifactDetector
from envs import (
    NUM_ACTIONS,
    OBSERVATION_SHAPE,
    Projection,
    calibrate,
    make_games,
    make_halves,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    0 when the training or, after Ctrl-C, the update is finished and saved; 2 for a user's mistake;
    1 for a failed run; 130 for a second Ctrl-C or one beside the training; 143 after SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        config, resumed = parse(argv)
        device = available_device(config.device)
        return train(config, device, resumed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (NonFiniteLossError, SaveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from the last checkpoint, if any", file=sys.stderr)
        return 130


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


def claim(config: TrainConfig, resumed: Checkpoint | None) -> RunLock:
    """Make the run directory this process's own and write config.json into it.

    Raises:
        UserError: If it holds another run, is in use or cannot be written.
    """
    run_dir = config.run_dir
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = RunLock(run_dir)
        try:
            check_claimed(run_dir, resumed)
            checkpoints.tidy(run_dir, [file for file, _ in resumed.unusable] if resumed else [])
            text = json.dumps(cattrs.unstructure(config), indent=2) + "\n"
            checkpoints.write(run_dir / "config.json", text.encode())
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise UserError(f"run_dir {run_dir} cannot be written: {error.strerror}") from error
    except SaveError as error:
        raise UserError(f"run_dir {run_dir}: {error}") from error
    return lock


def check_claimed(run_dir: Path, resumed: Checkpoint | None) -> None:
    """Raise UserError unless a directory that is now ours holds ``resumed``, or no run."""
    if resumed:
        now = checkpoints.load(run_dir, check_resumable)
        if (now.path, now.state, now.unusable) != (resumed.path, resumed.state, resumed.unusable):
            raise UserError(f"run_dir {run_dir} was trained on just now; resume once more")
    elif checkpoints.numbered(run_dir):
        raise UserError(
            f"run_dir {run_dir} already holds a run; go on with --resume or choose another"
        )
    elif (run_dir / "config.json").exists():
        raise UserError(
            f"run_dir {run_dir} holds a run that ended before its first checkpoint; "
            "delete it or choose another"
        )


def train(config: TrainConfig, device: torch.device, resumed: Checkpoint | None) -> int:
    """Build everything, run the loop, evaluate; returns the exit code.

    Raises:
        NonFiniteLossError: If losses stay NaN or infinite; names the last checkpoint.
        SaveError: If the last checkpoint cannot be written; says what is lost.
        UserError: If the checkpoint does not fit or the run directory cannot be used.
    """
    keep_freed_memory()
    console = Console(soft_wrap=True, markup=False)  # commands stay whole, to be copied
    for _, reason in resumed.unusable if resumed else ():
        console.print(f"warning: {reason}", highlight=False)
    stop = StopRequest()
    try:
        lock = claim(config, resumed)
        try:
            return learn(config, device, resumed, console, stop)
        finally:
            lock.release()
    finally:
        stop.close()


class Training(NamedTuple):
    """All that a training is made of."""

    counters: Counters
    projection: Projection
    model: ActorCritic
    ppo: PPO
    rollout: Rollout
    envs: list[VectorEnv[Any, Any, Any]]
    detector: ArtifactDetector
    collector: Collector
    seen: SeenGame
    saver: Saver
    monitor: Monitor


def build(
    config: TrainConfig, device: torch.device, resumed: Checkpoint | None, console: Console
) -> Training:
    """Make everything, anew or as ``resumed`` left it, and start the games."""
    torch.manual_seed(config.seed)
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, config.model).to(device)
    ppo = PPO(model, config.ppo, config.weights)
    counters = resumed.read(Counters, "counters") if resumed else Counters()
    seed = game_seed(config.seed, counters.updates)
    if resumed:
        counters.best = best_score(config.run_dir)
        projection = resumed.read(Projection, "projection")
        checkpoints.restore(resumed, model, ppo.optimizer)
        console.print(f"resuming {resumed.path} at {counters.steps:,} steps")
    else:
        projection = calibrate(config.env, seed)
        console.print(describe(projection))
    rollout = Rollout(config.ppo.num_steps, config.num_envs, OBSERVATION_SHAPE, device)
    envs = make_halves(config.env, projection, config.num_envs)
    detector = ArtifactDetector(config.detector)
    collector = Collector(envs, model, detector, rollout, seed)
    if not resumed:
        model.normalizer.update(rollout.frames[0])
    (game,) = make_games(config.env, projection, 1)
    seen = SeenGame(game, model, detector, config.weights)
    fixed = {"config": cattrs.unstructure(config), "projection": cattrs.unstructure(projection)}
    latest = resumed.path if resumed else None
    saver = Saver(config.run_dir, fixed, model, ppo.optimizer, counters, latest)
    monitor = Monitor(config.run_dir / "tensorboard", counters.steps, console.print)
    fields = flat(config)
    what_counts = fields.keys() - CHANGEABLE  # TensorBoard keeps the values of a run's first start
    monitor.begin(fields, what_counts, resume_command(config.run_dir), counters.steps)
    return Training(
        counters, projection, model, ppo, rollout, envs, detector, collector, seen, saver, monitor
    )


def learn(
    config: TrainConfig,
    device: torch.device,
    resumed: Checkpoint | None,
    console: Console,
    stop: StopRequest,
) -> int:
    """``train`` in a directory that is this process's own."""
    training = build(config, device, resumed, console)
    with closing(training.monitor):
        stop.deferring = True
        try:
            loop(config, training, console, stop)
        except NonFiniteLossError as error:
            last = training.saver.latest or "none was written yet"
            raise NonFiniteLossError(f"{error}; last good checkpoint: {last}") from error
        finally:
            for half in training.envs:
                half.close()
        training.saver.save()
        stop.deferring = False
        final = finish(config, training, console, stop)
        if final:
            training.monitor.end(final, training.counters.steps)
    return EXIT_CODES[signal.SIGTERM] if stop.signal == signal.SIGTERM else 0


def loop(config: TrainConfig, training: Training, console: Console, stop: StopRequest) -> None:
    """Collect, update, write, save, until the training is complete or is to stop."""
    counters, monitor, saver = training.counters, training.monitor, training.saver
    model, rollout = training.model, training.rollout
    progress = ProgressLine(console, counters.steps, config.total_steps)
    clock = time.monotonic()
    try:
        while counters.steps < config.total_steps and not stop.requested:
            before = counters.steps
            episodes = training.collector.collect()
            metrics = training.ppo.update(rollout, before, before / config.total_steps)
            fidelity = artifact_fidelity(model, training.detector, rollout)
            elapsed = time.monotonic() - clock  # since the last update: saving and drawing count
            clock += elapsed
            metrics |= counters.count(rollout.size, elapsed, episodes, fidelity)
            steps = counters.steps
            monitor.scalars(metrics, steps)
            monitor.remember(rollout)
            progress.update(steps, metrics)
            complete = steps >= config.total_steps
            if complete or passed(config.image_interval, before, steps):
                monitor.reconstructions(model, rollout, config.weights, steps)
                monitor.latents(model, rollout, steps)
            if complete or passed(config.film_interval, before, steps):
                monitor.film(film(training.seen, model, EVALUATION_SEED), steps)
                monitor.embedding(model, rollout, steps)
            if passed(config.checkpoint_interval, before, steps):
                try:
                    saver.save()
                except SaveError as error:
                    console.print(f"warning: {error}", highlight=False)
    finally:
        progress.stop()


def resume_command(run_dir: Path) -> str:
    """What goes on with a run, to be copied."""
    return f"{python()} train.py --run-dir {shlex.quote(str(run_dir))} --resume"


def python() -> Path:
    """The running interpreter, as short as it can be named here."""
    path = Path(sys.executable)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def game_seed(seed: int, updates: int) -> int:
    """Seed of the games that a run with ``seed`` begins after so many updates.

    Each resumption plays other games than the run has seen, and no two seeds share a game.
    """
    return int(np.random.SeedSequence((seed, updates)).generate_state(1)[0] >> 2)


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
    config: TrainConfig, training: Training, console: Console, stop: StopRequest
) -> dict[str, float]:
    """Say how to go on; after a whole training that nobody interrupted also evaluate it.

    Returns:
        What came out, by name; nothing if the training is not complete.
    """
    counters, latest = training.counters, training.saver.latest
    run = resume_command(config.run_dir)
    if counters.steps < config.total_steps:
        console.print(f"stopped at {counters.steps:,} steps, saved {latest}\nto go on: {run}")
        return {}
    minutes = counters.seconds / 60
    final = {"minutes": minutes, "steps": float(counters.steps)}
    console.print(f"trained {counters.steps:,} steps in {minutes:.1f} minutes: {latest}")
    if counters.recall:
        recall, ghosts = float(np.mean(counters.recall)), float(np.mean(counters.ghost_rate))
        final |= {"artifact_recall": recall, "artifact_ghost_rate": ghosts}
        console.print(
            f"the reconstruction keeps {recall:.1%} of the artifacts "
            f"and has one in {ghosts:.1%} of the frames without any"
        )
    if config.evaluation_games and not stop.requested:
        final |= judge(config, training, console)
    console.print(
        f"to train longer: {run} --total-steps {2 * counters.steps}\n"
        f"to watch it play: {python()} evaluate.py "
        f"--checkpoint {shlex.quote(str(config.run_dir))} --video game.mp4"
    )
    return final


def judge(config: TrainConfig, training: Training, console: Console) -> dict[str, float]:
    """Play whole games, print the table, write evaluation.json; returns mean and median score."""
    games = config.evaluation_games
    console.print(f"playing {games} whole games ...")
    envs = make_games(config.env, training.projection, min(games, MAX_PARALLEL))
    started = time.monotonic()
    played = play_games(envs, training.model, games, EVALUATION_SEED)
    seconds = time.monotonic() - started
    name = str(config.run_dir)
    counters = cattrs.unstructure(training.counters)
    result = report(played, name, EVALUATION_SEED, seconds, counters)
    text = json.dumps(result, indent=2) + "\n"
    console.print(table([result]))
    checkpoints.write(config.run_dir / "evaluation.json", text.encode())
    return {"score": result["mean"], "score_median": result["median"]}


if __name__ == "__main__":
    sys.exit(main())
