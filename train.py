"""Train an agent on Atari games that keeps small artifacts in view."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import torch
from gymnasium.vector import VectorEnv
from rich.console import Console

from agent.collector import Collector
from agent.ppo import NonFiniteLossError
from agent.ranks import LostRankError, Ranks
from agent.rendezvous import joined_ranks
from agent.rollout import Rollout
from agent.threads import StalledError
from encoders.fidelity import artifact_fidelity
from envs import SingleEnv, game_of, make_env_parts
from evaluation.final import finish
from evaluation.games import EVALUATION_SEED
from experiment.allocator import keep_freed_memory
from experiment.checkpoint import Checkpoint
from experiment.command_line import available_device, exit_code, parse, resume_command
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.files import SaveError
from experiment.model import make_rollout
from experiment.random_play import complete
from experiment.run_directory import RunDirectory
from experiment.signals import StopRequest
from experiment.training_state import TrainingState, check_start
from monitoring.agent_view import AgentView
from monitoring.console import ProgressLine, describe_projection, make_console
from monitoring.film import film_rate, record_film
from monitoring.gauges import gauge_metrics
from monitoring.monitor import Monitor
from monitoring.validation import Overfitting, validation_metrics
from settings import Role, flat, names_with, to_json


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    0 when the training or, after Ctrl-C, the update is finished and saved; 2 for a user's mistake;
    1 for a failed run; 130 for a second Ctrl-C or one beside the training; 143 after SIGTERM; 129
    after SIGHUP.
    """
    argv = sys.argv[1:] if argv is None else argv

    def command() -> int:
        with joined_ranks() as ranks:
            config, resumed = ranks.led(lambda: read_command_line(argv, ranks))
            return train(config, available_device(config.device), resumed, ranks)

    return exit_code(command, "interrupted; --resume goes on from the last checkpoint, if any")


def read_command_line(argv: Sequence[str], ranks: Ranks) -> tuple[TrainConfig, Checkpoint | None]:
    """The config and the checkpoint from which to go on, checked.

    Raises:
        UserError: If a flag is wrong, or the training cannot begin.
    """
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    config, resumed = parse_again(argv) if restarted else parse(argv)
    available_device(config.device)
    config.check_ranks(ranks.size)
    config = complete(config)
    if not resumed:
        check_start(config)
    return config, resumed


def parse_again(argv: Sequence[str]) -> tuple[TrainConfig, Checkpoint | None]:
    """The command line of ranks that torchrun has started again: it goes on where they were."""
    try:
        return parse([*argv, "--resume"])
    except UserError:  # they were lost before there was a run
        return parse(argv)


def train(
    config: TrainConfig, device: torch.device, resumed: Checkpoint | None, ranks: Ranks
) -> int:
    """Build everything, run the loop, evaluate; returns the exit code.

    Raises:
        LostRankError: If a rank is lost; what was learned until then is saved.
        NonFiniteLossError: If losses stay NaN or infinite; names the last checkpoint.
        SaveError: If the last checkpoint cannot be written; says what is lost.
        StalledError: If a game hangs; what was learned until then is saved.
        UserError: If the checkpoint does not fit or the run directory cannot be used.
    """
    keep_freed_memory()
    if config.threads:
        torch.set_num_threads(config.threads)
    console = make_console() if ranks.first else Console(quiet=True)
    for _, reason in resumed.unusable if resumed else ():
        console.print(f"warning: {reason}")
    run = RunDirectory(config.run_dir)
    with closing(StopRequest()) as stop, ExitStack() as cleanup:
        claim = run.claim(config, resumed, console.print)
        ranks.led(lambda: cleanup.enter_context(claim))
        state = TrainingState(config, device, run, resumed, ranks)
        training = build(config, state, run, console)
        if training.monitor:
            cleanup.callback(training.monitor.close)
        stop.deferring = True
        try:
            loop(config, training, console, stop)
        except NonFiniteLossError as error:
            last = run.newest or "none was written yet"
            raise NonFiniteLossError(f"{error}; last good checkpoint: {last}") from error
        except (StalledError, LostRankError) as error:
            if not ranks.first:
                raise
            state.save()
            raise type(error)(f"{error}; saved {run.newest}") from error
        finally:
            for part in training.envs:
                part.close()
        state.save()
        stop.deferring = False
        if training.monitor:
            final = finish(config, state.statistics, run, console, judge=not stop.requested)
            if final:
                training.monitor.end(final, state.statistics.steps)
    return stop.exit_code


class Training(NamedTuple):
    """All that a training is made of."""

    state: TrainingState
    rollout: Rollout
    envs: list[VectorEnv[Any, Any, Any]]
    collector: Collector
    view: AgentView
    monitor: Monitor | None
    """Only the first rank has one."""


def build(
    config: TrainConfig, state: TrainingState, run: RunDirectory, console: Console
) -> Training:
    """Start the games, and what collects and shows them."""
    model, steps = state.model, state.statistics.steps
    if state.resumed:
        console.print(f"resuming {state.resumed.path} at {steps:,} steps")
    else:
        if config.resume:
            console.print(f"{run.path} has no checkpoint yet, so its training starts again")
        console.print(describe_projection(state.projection))
    ranks = state.ranks
    num_envs = config.num_envs // ranks.size
    rollout = make_rollout(config, model, config.ppo.num_steps, num_envs)
    # One rank plays a part while the other acts. Ranks on one machine do so among each other.
    parts = 2 if ranks.size == 1 else 1
    envs = make_env_parts(config.env, state.projection, num_envs, parts, config.threads)
    seed = config.game_seed(state.statistics.updates, ranks.rank)
    collector = Collector(
        envs, model, state.finder, rollout, seed, held_out=config.validation_share
    )
    if not state.resumed:
        state.ppo.fit_normalizer(rollout.frames[0])
    view = AgentView(SingleEnv(state.projection, config.env), model, state.finder, config.weights)
    if not ranks.first:
        return Training(state, rollout, envs, collector, view, None)
    monitor = Monitor(run.tensorboard, steps, console.print)
    fields = flat(to_json(config))
    # TensorBoard keeps the values of a run's first start, so what may change is left out.
    changeable = names_with(TrainConfig, Role.NEUTRAL, Role.EXTENDABLE)
    monitor.begin(fields, fields.keys() - changeable, resume_command(config.run_dir), steps)
    return Training(state, rollout, envs, collector, view, monitor)


def loop(config: TrainConfig, training: Training, console: Console, stop: StopRequest) -> None:
    """Collect, update, write, save, until the training is complete or is to stop."""
    state, rollout, monitor = training.state, training.rollout, training.monitor
    statistics, ranks = state.statistics, state.ranks
    progress = ProgressLine(console, statistics.steps, config.total_steps)
    overfitting = Overfitting()
    clock = time.monotonic()
    try:
        while statistics.steps < config.total_steps and not ranks.any(stop.requested):
            before = statistics.steps
            played = ranks.gather(training.collector.collect())
            episodes = [episode for episodes in played for episode in episodes]
            metrics = state.ppo.update(rollout, before, before / config.total_steps)
            fidelity = look(config, training, metrics) if monitor else {}
            elapsed = time.monotonic() - clock  # since the last update: saving and drawing count
            clock += elapsed
            steps = rollout.size * ranks.size
            metrics |= statistics.update(steps, elapsed, episodes, fidelity)
            if not monitor:
                continue
            steps = statistics.steps
            monitor.scalars(metrics, steps)
            monitor.remember(rollout)
            progress.update(steps, metrics)
            if warning := overfitting.watch(metrics.get("validation/gap")):
                console.print(warning)
            complete = steps >= config.total_steps
            if complete or passed(config.checkpoint_interval, before, steps):
                try:
                    state.save()
                except SaveError as error:
                    console.print(f"warning: {error}")
            draw(config, training, monitor, before)
    finally:
        progress.stop()


def look(config: TrainConfig, training: Training, metrics: dict[str, float]) -> dict[str, float]:
    """See what the autoencoder keeps; add to the metrics what else a rollout tells."""
    rollout, autoencoder = training.rollout, training.state.model.autoencoder
    finder = training.state.finder
    fidelity = artifact_fidelity(autoencoder, finder, *rollout.fidelity_sample())
    if config.validation_share:
        metrics |= validation_metrics(autoencoder, finder, rollout, config.weights)
    metrics |= gauge_metrics(rollout, game_of(config.env).gauge_names)
    return fidelity


def draw(config: TrainConfig, training: Training, monitor: Monitor, before: int) -> None:
    """Draw what is due, if the last update began after ``before`` steps."""
    model, rollout, view = training.state.model, training.rollout, training.view
    steps = training.state.statistics.steps
    complete = steps >= config.total_steps
    if complete or passed(config.image_interval, before, steps):
        with monitor.drawing("the reconstructions"):
            monitor.reconstructions(model, rollout, config.weights, steps)
        with monitor.drawing("the latents"):
            monitor.latents(model, rollout, steps)
    if complete or passed(config.film_interval, before, steps):
        with monitor.drawing("the film"):
            monitor.film(record_film(view, model, EVALUATION_SEED), film_rate(view), steps)
        with monitor.drawing("the projector's points"):
            monitor.embedding(model, rollout, steps)


def passed(interval: int, before: int, after: int) -> bool:
    """Whether a multiple of ``interval`` lies in (before, after]."""
    return before // interval < after // interval


if __name__ == "__main__":
    sys.exit(main())
