"""What an evaluation says: as tables, Markdown and JSON."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from envs import Game
from evaluation.games import PlayedGame
from evaluation.statistics import difference, explain, summarize
from experiment.run_statistics import RunStatistics

Report = dict[str, Any]


def report(
    played: Sequence[PlayedGame],
    game: Game,
    name: str,
    checkpoint: str,
    seed: int,
    seconds: float,
    statistics: RunStatistics,
) -> Report:
    """An evaluation as the JSON object that ``train.py`` and ``evaluate.py`` write.

    Args:
        played: At least one whole game.
        game: Which game it was; gives the scale between random play and a human.
        name: Name of the agent.
        checkpoint: Digest of its checkpoint.
        seed: Seed of the games.
        seconds: How long the games took.
        statistics: Statistics of the agent's training.

    Returns:
        ``name``, ``checkpoint``, ``episodes`` (their number), ``seed``, ``seconds`` (of playing),
        ``steps`` and ``train_seconds`` (agent steps and time for which the policy was trained),
        ``artifact_recall`` and ``artifact_ghost_rate`` (live figures over the last updates of the
        training, None without artifacts), ``scores``, ``lengths`` (agent steps), ``facts`` of each
        game, ``explained`` (see ``explain``), ``human_normalized`` (0 is random play, 1 a human)
        and the keys of ``summarize``.
    """
    scores = [one.score for one in played]
    facts = [dict(one.facts) for one in played]
    summary = summarize(scores)
    return {
        "name": name,
        "checkpoint": checkpoint,
        "episodes": len(played),
        "seed": seed,
        "seconds": seconds,
        "steps": statistics.steps,
        "train_seconds": statistics.seconds,
        **statistics.final_fidelity(),
        "scores": scores,
        "lengths": [one.length for one in played],
        "facts": facts,
        "explained": explain(facts),
        **summary,
        "human_normalized": game.human_normalized(summary["mean"]),
    }


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
    """Interval of the mean score; a single game has none."""
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
