"""What an evaluation says: statistics with intervals, as tables, Markdown and JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from rich.table import Table

from agent.evaluation import Game

RANDOM_SCORE, HUMAN_SCORE = 258.5, 22_736.3
"""Kung-Fu Master, no-op starts: Wang et al. 2016, "Dueling network architectures", table 2."""
RESAMPLES = 10_000
"""Of every bootstrap."""
Report = dict[str, Any]


def report(
    games: Sequence[Game], name: str, seed: int, seconds: float, counters: Mapping[str, Any]
) -> Report:
    """An evaluation as the JSON object that ``train.py`` and ``evaluate.py`` write.

    Args:
        games: Those played, at least one.
        name: Of what was judged.
        seed: Of the games.
        seconds: How long they took.
        counters: Those of the checkpoint.

    Returns:
        ``name``, ``episodes`` (their number), ``seed``, ``seconds`` (of playing), ``steps`` and
        ``train_seconds`` (agent steps and time for which the policy was trained),
        ``artifact_recall`` and ``artifact_ghost_rate`` (live figures over the last updates of the
        training, None without artifacts), ``scores``, ``lengths`` (agent steps), ``facts`` of each
        game, ``explained`` (see ``explain``) and the keys of ``summarize``.
    """
    recall: list[float] = list(counters["recall"])
    ghost_rate: list[float] = list(counters["ghost_rate"])
    scores = [game.score for game in games]
    facts = [dict(game.facts) for game in games]
    return {
        "name": name,
        "episodes": len(games),
        "seed": seed,
        "seconds": seconds,
        "steps": counters["steps"],
        "train_seconds": counters["seconds"],
        "artifact_recall": float(np.mean(recall)) if recall else None,
        "artifact_ghost_rate": float(np.mean(ghost_rate)) if ghost_rate else None,
        "scores": scores,
        "lengths": [game.length for game in games],
        "facts": facts,
        "explained": explain(facts),
    } | summarize(scores)


def summarize(scores: Sequence[float]) -> dict[str, Any]:
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
    return {
        "mean": mean,
        "median": float(np.median(scores)),
        "iqm": float(stats.trim_mean(scores, 0.25)),
        "ci95": interval(scores),
        "human_normalized": (mean - RANDOM_SCORE) / (HUMAN_SCORE - RANDOM_SCORE),
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

    The two are independent samples, also under the same seed: after the first other action nothing
    of two games is alike. A single game has no interval.
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
    """What the games' facts say in the mean of a game.

    Args:
        facts: Of each game: numbers by name, perhaps nested; what a game lacks is 0.

    Returns:
        ``mean``, ``ci95`` and ``highest`` by dotted name.
    """
    games = [_flat(game) for game in facts]
    names = list(dict.fromkeys(name for game in games for name in game))
    columns = {name: [game.get(name, 0.0) for game in games] for name in names}
    return {
        name: {"mean": float(np.mean(column)), "ci95": interval(column), "highest": max(column)}
        for name, column in columns.items()
    }


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= _flat(cast(Mapping[str, Any], value), f"{prefix}{name}.")
        else:
            found[prefix + name] = float(value)
    return found


Rows = list[tuple[str, list[str]]]
"""A heading or the name of a figure, and its cell for every report; no cells after a heading."""


def table_rows(reports: Sequence[Report]) -> Rows:
    """The figures of one or more evaluations, side by side."""
    first = reports[0]
    rows: Rows = [
        ("whole games", [f"{report['episodes']}" for report in reports]),
        ("mean score", [f"{report['mean']:,.0f}" for report in reports]),
        ("95 % interval of the mean score", [_interval(report) for report in reports]),
        ("median score", [f"{report['median']:,.0f}" for report in reports]),
        ("interquartile mean score", [f"{report['iqm']:,.0f}" for report in reports]),
        ("human-normalised (0 random, 1 human)", [f"{r['human_normalized']:.3f}" for r in reports]),
    ]
    if len(reports) > 1:
        cells = [_difference(report, first) for report in reports[1:]]
        rows.append(("mean against the first (95 % interval)", ["", *cells]))
    rows += [
        ("agent steps trained", [f"{report['steps']:,}" for report in reports]),
        ("artifacts kept, in training", [_share(report["artifact_recall"]) for report in reports]),
    ]
    groups: dict[str, dict[str, str]] = {}  # by heading, the names under it and their labels
    for name in (name for report in reports for name in report["explained"]):
        heading, _, rest = name.partition(".")
        groups.setdefault(heading.replace("_", " "), {})[name] = rest.replace(".", " ")
    for heading, labels in groups.items():
        if all(labels.values()):
            rows.append((f"{heading}, in a game", []))
        for name, label in labels.items():
            cells = [_explained(report, name) for report in reports]
            rows.append((label or f"highest {heading}, in a game", cells))
    return rows


def _difference(report: Report, first: Report) -> str:
    mean, low, high = difference(report["scores"], first["scores"])
    if min(report["episodes"], first["episodes"]) == 1:
        return f"{mean:+,.0f}"
    return f"{mean:+,.0f} ({low:+,.0f} to {high:+,.0f})"


def _interval(report: Report) -> str:
    """Of the mean score; a single game has none."""
    return "-" if report["episodes"] == 1 else _between(report["ci95"], ",.0f")


def _between(ends: Sequence[float], form: str) -> str:
    return f"{ends[0]:{form}} to {ends[1]:{form}}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _explained(report: Report, name: str) -> str:
    found = report["explained"].get(name)
    if not found:
        return "0"
    if report["episodes"] == 1:
        return f"{found['mean']:.1f}"
    return f"{found['mean']:.1f} ({_between(found['ci95'], '.1f')})"


def table(reports: Sequence[Report]) -> Table:
    """Evaluations for the terminal."""
    shown = Table("", *(report["name"] for report in reports), title="evaluation, raw game scores")
    for name, cells in table_rows(reports):
        if not cells:
            shown.add_section()
        shown.add_row(name, *cells)
    return shown


def markdown(reports: Sequence[Report]) -> str:
    """Evaluations as a page of Markdown."""
    names = [str(report["name"]).replace("|", "\\|") for report in reports]
    lines = [
        "# Evaluation",
        "",
        f"Whole games, sampled policy, seed {reports[0]['seed']}; raw game scores.",
        "In brackets: 95 % bootstrap intervals of the mean over games.",
        "",
        "| |" + "|".join(names) + "|",
        "|---|" + "---|" * len(names),
    ]
    for name, cells in table_rows(reports):
        shown = cells or [""] * len(names)
        lines.append(f"| {name if cells else f'**{name}**'} | " + " | ".join(shown) + " |")
    lines += ["", "Score of every game:", ""]
    lines += [
        f"- {name}: " + ", ".join(f"{score:,.0f}" for score in report["scores"])
        for name, report in zip(names, reports, strict=True)
    ]
    return "\n".join(lines) + "\n"
