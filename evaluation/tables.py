"""Evaluations as tables: for the terminal, and as a page of Markdown."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from rich.table import Column, Table

from evaluation.report import Report
from evaluation.statistics import difference
from monitoring.console import make_console, natural_width, print_table

TITLE = "evaluation, raw game scores"
LABEL = 20
"""Letters that the name of a figure has in a line, at least."""
PROTOCOL = {
    "repeat_action_probability": ("sticky actions", ""),
    "frameskip": ("frameskip", "d"),
    "max_episode_frames": ("frame limit", ",d"),
}
"""Name and format of every field of a protocol."""


class Row(NamedTuple):
    """A figure of every report."""

    name: str
    cells: list[str]
    heading: str = ""
    """Over this and its neighbours; none if it is empty."""


def table_rows(reports: Sequence[Report]) -> list[Row]:
    """The figures of one or more evaluations, side by side."""
    first = reports[0]
    rows = [
        Row("whole games", [f"{report['episodes']}" for report in reports]),
        Row("cut by the frame limit", [f"{report['truncated']}" for report in reports]),
        Row("mean score", [f"{report['mean']:,.0f}" for report in reports]),
        Row("95 % interval of the mean score", [_interval(report) for report in reports]),
        Row("median score", [f"{report['median']:,.0f}" for report in reports]),
        Row("interquartile mean score", [f"{report['iqm']:,.0f}" for report in reports]),
    ]
    if first["human_normalized"] is not None:  # the scores of both are published
        cells = [f"{report['human_normalized']:.3f}" for report in reports]
        rows.append(Row("human-normalised (0 random, 1 human)", cells))
    if len(reports) > 1:
        cells = [_difference(report, first) for report in reports[1:]]
        rows.append(Row("mean against the first (95 % interval)", ["", *cells]))
    rows += _protocol_rows(reports)
    rows += [
        Row("agent steps trained", [f"{report['steps']:,}" for report in reports]),
        Row(
            "artifacts kept, in training",
            [_share(report["artifact_recall"]) for report in reports],
        ),
    ]
    groups: dict[str, dict[str, str]] = {}  # by heading, the names under it and their labels
    for name in (name for report in reports for name in report["explained"]):
        heading, _, rest = name.partition(".")
        groups.setdefault(heading.replace("_", " "), {})[name] = rest.replace(".", " ")
    for heading, labels in groups.items():
        for name, label in labels.items():
            cells = [_explained(report, name) for report in reports]
            if label:
                rows.append(Row(label, cells, f"{heading}, in a game"))
            else:
                rows.append(Row(f"{heading}, in a game", cells))
    return rows


def _protocol_rows(reports: Sequence[Report]) -> list[Row]:
    """Under what was played; a warning first, if that was not the same for all."""
    rows = [
        Row(name, [format(report["protocol"][field], form) for report in reports])
        for field, (name, form) in PROTOCOL.items()
    ]
    differing = [
        ", ".join(
            name
            for field, (name, _) in PROTOCOL.items()
            if report["protocol"][field] != reports[0]["protocol"][field]
        )
        for report in reports
    ]
    warning = [Row("warning: another protocol than the first", differing)]
    return (warning if any(differing) else []) + rows


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


def short_names(names: Sequence[str]) -> list[str]:
    """Paths without the directories that all of them share at either end, and without endings."""
    parts = [list(Path(name).parts) for name in names]
    for end in (0, -1):
        while all(len(part) > 1 for part in parts) and len({part[end] for part in parts}) == 1:
            for part in parts:
                part.pop(end)
    short = [str(Path(*part)).removesuffix(".safetensors") for part in parts]
    return short if len(set(short)) == len(set(names)) > 1 else list(names)


def show(reports: Sequence[Report]) -> None:
    """Print evaluations."""
    for table in tables(reports, make_console().width):
        print_table(table)


def tables(reports: Sequence[Report], width: int) -> list[Table]:
    """Evaluations for a terminal of ``width`` columns.

    They stand side by side; names of figures may take several lines. If that is too wide they
    become rows, and the figures are dealt out to as many tables as it takes. No figure is cut.
    """
    names, rows = short_names([report["name"] for report in reports]), table_rows(reports)
    longest = max(len(text) for row in rows for text in (row.name, row.heading))
    room = longest - max(0, natural_width(_beside(names, rows, longest)) - width)
    if len(reports) == 1 or room >= LABEL:
        return [_beside(names, rows, max(room, LABEL))]
    found: list[Table] = []
    taken: list[Row] = []
    for row in rows:
        if taken and natural_width(_below(names, [*taken, row])) > width:
            found.append(_below(names, taken))
            taken = []
        taken.append(row)
    found.append(_below(names, taken))
    found[0].title = TITLE
    return found


def _beside(names: Sequence[str], rows: Sequence[Row], label: int) -> Table:
    """A column for each report, behind one of ``label`` letters for the names of the figures."""
    table = Table(Column(width=label), *names, title=TITLE)
    for heading, group in groupby(rows, lambda row: row.heading):
        if heading:
            table.add_section()
            table.add_row(heading)
        for row in group:
            table.add_row(row.name, *row.cells)
    return table


def _below(names: Sequence[str], rows: Sequence[Row]) -> Table:
    """A row for each report; the name of a figure may take several lines, a figure takes one."""
    table = Table("")
    for row in rows:
        name = f"{row.heading}: {row.name}" if row.heading else row.name
        table.add_column(name, width=max(map(len, [*row.cells, *name.split()])))
    for index, name in enumerate(names):
        table.add_row(name, *(row.cells[index] for row in rows))
    return table


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
    for heading, group in groupby(table_rows(reports), lambda row: row.heading):
        if heading:
            lines.append(f"| **{heading}** |" + " |" * len(names))
        lines += [f"| {row.name} | " + " | ".join(row.cells) + " |" for row in group]
    lines += ["", "Score of every game:", ""]
    lines += [
        f"- {name}: " + ", ".join(f"{score:,.0f}" for score in report["scores"])
        for name, report in zip(names, reports, strict=True)
    ]
    return "\n".join(lines) + "\n"
