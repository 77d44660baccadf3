"""The report on an agent that plays whole games."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from envs import game_of, make_logged_envs
from evaluation.games import EVALUATION_SEED, MAX_PARALLEL, Env, play_games
from evaluation.report import Report, report
from experiment.trained_agent import TrainedAgent


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
        envs: Environments in which it plays; by default new ones, which are closed afterwards.

    Returns:
        What ``report`` says of the games.
    """
    with ExitStack() as cleanup:
        if envs is None:
            envs = make_logged_envs(agent.config.env, agent.projection, min(games, MAX_PARALLEL))
            for env in envs:
                cleanup.callback(env.close)
        started = time.monotonic()
        played = play_games(envs, agent.model, games, seed)
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
