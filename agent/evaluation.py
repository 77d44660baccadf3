"""Judging a policy: whole games, raw scores, interval estimates."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from rich.table import Table

from agent.actor_critic import ActorCritic, sample
from agent.collector import Episode
from agent.parallel import in_parallel

RANDOM_SCORE, HUMAN_SCORE = 258.5, 22_736.3
"""Kung-Fu Master, no-op starts: Wang et al. 2016, "Dueling network architectures", table 2."""
EVALUATION_SEED = 1_000_000
"""Default seed of the games that judge a policy."""
MAX_PARALLEL = 16
"""Games played at the same time at most. More of them would wait longer for the last to end."""
OnStep = Callable[[NDArray[np.uint8], list[int]], None]


def play_games(
    envs: Sequence[VectorEnv[Any, Any, Any]],
    model: ActorCritic,
    games: int,
    seed: int,
    on_step: OnStep | None = None,
) -> list[Episode]:
    """Play whole games with the sampled policy.

    The first ``games`` that begin count, however long they take. Taking the first that finish
    instead would favour short ones, which are the bad ones.

    Args:
        envs: Parts of the environments, played side by side; autoreset mode SAME_STEP, episode
            statistics in ``infos["episode"]``.
        model: The policy, on any device.
        games: How many games in all, at least one for each environment.
        seed: Seed of environments and action sampling; the same seed gives the same games.
        on_step: Called before each step of the first part with the observations (N, C, H, W) and
            the number of games that each environment has finished.

    Returns:
        ``games`` episodes, those of each part in the order in which they began.
    """
    sizes = [part.num_envs for part in envs]
    firsts = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
    shares = [round(games * first / firsts[-1]) for first in firsts]
    tasks = [
        partial(_play, part, model, due, seed + first, None if first else on_step)
        for part, due, first in zip(envs, np.diff(shares).tolist(), firsts, strict=False)
    ]
    return [episode for episodes in in_parallel(tasks) for episode in episodes]


@torch.no_grad()
def _play(
    envs: VectorEnv[Any, Any, Any],
    model: ActorCritic,
    games: int,
    seed: int,
    on_step: OnStep | None,
    stop: Event,
) -> list[Episode]:
    """``play_games`` in one part, unless ``stop`` is set."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    episodes: dict[int, Episode] = {}  # by the order in which they began
    playing = list(range(envs.num_envs))  # which game each environment is at
    finished = [0] * envs.num_envs
    begun = envs.num_envs
    obs, _ = envs.reset(seed=seed)
    while len(episodes) < games and not stop.is_set():
        if on_step:
            on_step(obs, finished)
        policy = model(torch.from_numpy(obs).to(device)).policy
        actions = sample(policy, generator)
        obs, _, terminated, truncated, infos = envs.step(actions.cpu().numpy())
        for n in np.flatnonzero(terminated | truncated):
            if playing[n] < games:
                score, length = infos["episode"]["r"][n], infos["episode"]["l"][n]
                episodes[playing[n]] = Episode(float(score), int(length))
                finished[n] += 1
            playing[n], begun = begun, begun + 1
    return [episodes[game] for game in sorted(episodes)]


def summarize(scores: list[float]) -> dict[str, Any]:
    """Statistics of raw game scores.

    Args:
        scores: At least one score.

    Returns:
        ``mean``, ``median``, ``iqm`` (mean of the middle half, Agarwal et al. 2021), ``ci95`` (95 %
        percentile bootstrap interval of the mean, 10,000 resamples) and ``human_normalized``
        (0 is random play, 1 a human's score).
    """
    from scipy import stats  # takes most of a second, which training should not wait for

    mean = float(np.mean(scores))
    interval = (mean, mean)
    if len(scores) > 1:
        interval = stats.bootstrap(
            (scores,), np.mean, n_resamples=10_000, method="percentile", rng=0
        ).confidence_interval
    return {
        "mean": mean,
        "median": float(np.median(scores)),
        "iqm": float(stats.trim_mean(scores, 0.25)),
        "ci95": [float(interval[0]), float(interval[1])],
        "human_normalized": (mean - RANDOM_SCORE) / (HUMAN_SCORE - RANDOM_SCORE),
    }


def report(
    episodes: list[Episode], seed: int, seconds: float, counters: dict[str, Any]
) -> dict[str, Any]:
    """An evaluation as the JSON object that evaluate.py writes.

    Args:
        episodes: The games played.
        seed: Their seed.
        seconds: How long they took.
        counters: Those of the checkpoint.

    Returns:
        ``episodes`` (their number), ``seed``, ``seconds`` (of playing), ``steps`` and
        ``train_seconds`` (agent steps and time for which the policy was trained),
        ``artifact_recall`` and ``artifact_ghost_rate`` (live figures over the last updates of the
        training, None without artifacts), ``scores``, ``lengths`` (agent steps) and the keys of
        ``summarize``.
    """
    scores = [episode.score for episode in episodes]
    recall: list[float] = counters["recall"]
    ghost_rate: list[float] = counters["ghost_rate"]
    return {
        "episodes": len(episodes),
        "seed": seed,
        "seconds": seconds,
        "steps": counters["steps"],
        "train_seconds": counters["seconds"],
        "artifact_recall": float(np.mean(recall)) if recall else None,
        "artifact_ghost_rate": float(np.mean(ghost_rate)) if ghost_rate else None,
        "scores": scores,
        "lengths": [episode.length for episode in episodes],
    } | summarize(scores)


def score_table(result: dict[str, Any]) -> Table:
    """A report for the terminal."""
    table = Table("raw game score", f"{result['episodes']} whole games", title="evaluation")
    low, high = result["ci95"]
    rows = {
        "mean": f"{result['mean']:,.0f}",
        "median": f"{result['median']:,.0f}",
        "interquartile mean": f"{result['iqm']:,.0f}",
        "95 % interval of the mean": f"{low:,.0f} to {high:,.0f}",
        "human-normalised": f"{result['human_normalized']:.3f}  (0 random, 1 human)",
        "trained for": f"{result['steps']:,} agent steps",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
