"""The report on an agent that plays whole games."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from envs import game_of, make_logged_envs
from evaluation.games import EVALUATION_SEED, MAX_PARALLEL, Env, play_games
from evaluation.processes import play_in_processes
from evaluation.report import Report, report
from experiment.checkpoint import device_of
from experiment.trained_agent import TrainedAgent

WORTH_PROCESSES = 8
"""Games from which on it pays to start processes."""


def evaluate_agent(
    agent: TrainedAgent,
    name: str,
    games: int,
    seed: int = EVALUATION_SEED,
    envs: Sequence[Env] | None = None,
) -> Report:
    """Let an agent play whole games under the protocol of its training.

    Args:
        agent: The agent.
        name: Its name in the report.
        games: How many games, at least 1 and at least one for each of ``envs``.
        seed: Seed of the games and of action sampling.
        envs: Environments in which it plays; by default new ones, which are closed afterwards, in
            processes of their own if it plays many games.

    Returns:
        What ``report`` says of the games.
    """
    config, model, seats = agent.config.env, agent.model, min(games, MAX_PARALLEL)
    started = time.monotonic()
    if envs is not None:
        played = play_games(envs, model, games, seed)
    elif games >= WORTH_PROCESSES and device_of(model).type == "cpu":
        played = play_in_processes(config, agent.projection, model, games, seats, seed)
    else:
        with ExitStack() as cleanup:
            own = make_logged_envs(config, agent.projection, seats)
            for env in own:
                cleanup.callback(env.close)
            played = play_games(own, model, games, seed)
    seconds = time.monotonic() - started
    return report(
        played,
        game_of(agent.config.env),
        agent.config.env,
        name,
        agent.checkpoint.digest,
        seed,
        seconds,
        agent.statistics,
    )
