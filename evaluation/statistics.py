"""Statistics of games: means, intervals, differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from settings import flat

RESAMPLES = 10_000
"""Resamples of every bootstrap."""


def summarize(scores: Sequence[float]) -> dict[str, Any]:
    """Statistics of raw game scores.

    Args:
        scores: At least one score.

    Returns:
        ``mean``, ``median``, ``iqm`` (mean of the middle half, Agarwal et al. 2021) and ``ci95``
        (95 % percentile bootstrap interval of the mean, 10,000 resamples).
    """
    from scipy import stats  # takes most of a second, which training should not wait for

    return {
        "mean": float(np.mean(scores)),
        "median": float(np.median(scores)),
        "iqm": float(stats.trim_mean(scores, 0.25)),
        "ci95": interval(scores),
    }


def interval(values: Sequence[float]) -> list[float]:
    """95 % percentile bootstrap interval of the mean: [low, high]."""
    from scipy import stats

    if len(values) == 1 or min(values) == max(values):
        return [float(np.mean(values))] * 2
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return [float(found[0]), float(found[1])]


def difference(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Mean of ``values`` less that of ``others``, and its 95 % bootstrap interval: [d, low, high].

    The two are independent samples, also under the same seed: games diverge at the first different
    action. A single game has no interval.
    """
    from scipy import stats

    mean = float(_mean_difference(values, others))
    if min(len(values), len(others)) == 1:
        return [mean] * 3
    found = stats.bootstrap(
        (values, others), _mean_difference, n_resamples=RESAMPLES, method="percentile", rng=0
    ).confidence_interval
    return [mean, float(found[0]), float(found[1])]


def _mean_difference(values: Any, others: Any, axis: int = -1) -> Any:
    return np.mean(values, axis=axis) - np.mean(others, axis=axis)


def explain(facts: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, interval and maximum over games of every fact.

    Args:
        facts: The facts of each game: numbers by name, perhaps nested. What a game lacks is 0.

    Returns:
        ``mean``, ``ci95`` and ``highest`` by dotted name.
    """
    games = [flat(dict(game)) for game in facts]
    names = list(dict.fromkeys(name for game in games for name in game))
    columns = {name: [float(game.get(name, 0)) for game in games] for name in names}
    return {
        name: {"mean": float(np.mean(column)), "ci95": interval(column), "highest": max(column)}
        for name, column in columns.items()
    }
