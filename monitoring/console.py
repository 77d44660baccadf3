"""What is said in the terminal."""

import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from envs import Projection

BAR = 4
"""Columns that are left for the bar of a progress line, at least."""
UNLIMITED = 100_000
"""Columns of what is no terminal; a file or a program may have lines of any length."""


def make_console() -> Console:
    """The terminal, or what stands in its place.

    What is printed comes out as it is: names and commands, which may be copied, are neither broken
    nor searched for markup, emoji codes and things to colour.
    """
    console = Console(soft_wrap=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def natural_width(table: Table) -> int:
    """Columns that a table takes if nothing in it is cut or broken."""
    console = make_console()
    console.width = UNLIMITED
    return console.measure(table).maximum


def print_table(table: Table) -> None:
    """Print a table with every figure whole: a terminal that is too narrow breaks its lines."""
    console = make_console()
    console.width = max(console.width, natural_width(table))
    console.print(table)


class ProgressLine:
    """A live line on a terminal; elsewhere (a log file) a plain line every half minute."""

    PLAIN_INTERVAL = 30.0
    """Seconds between two plain lines."""

    def __init__(self, console: Console, steps: int, total_steps: int) -> None:
        """Begin at ``steps`` of ``total_steps`` agent steps."""
        self._console, self._total = console, total_steps
        # The text fits 80 columns; the bar takes what is left.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("first games ...", total=total_steps, completed=steps)
        self._bar.start()
        self._printed = time.monotonic()

    def update(self, steps: int, metrics: Mapping[str, float]) -> None:
        """Show the state after an update; the recent score and recall may not be there yet."""
        steps_per_second = metrics["speed/steps_per_second"]
        minutes = max(self._total - steps, 0) / steps_per_second / 60
        score = metrics.get("episode/return_recent")
        recall = metrics.get("artifacts/recall_recent")
        parts = [
            f"{steps / 1000:,.0f}k/{self._total / 1000:,.0f}k steps",
            f"{steps_per_second:,.0f}/s",
            f"{minutes:.0f} min left",
            f"score {'-' if score is None else format(score, ',.0f')}",
            f"artifacts kept {'-' if recall is None else format(recall, '.0%')}",
        ]
        while len(parts) > 1 and len(", ".join(parts)) > self._console.width - BAR:
            parts.pop()  # what is shown is whole
        line = ", ".join(parts)
        self._bar.update(self._task, completed=steps, description=line)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._printed >= self.PLAIN_INTERVAL:
            self._printed = now
            self._console.print(line)

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()


def describe_projection(projection: Projection) -> str:
    """What the calibration found."""
    lines = [f"warning: {compromise}" for compromise in projection.compromises]
    colours = ", ".join(map(str, projection.artifacts))
    if projection.backdrop:
        lines.append("small things are looked for by size, in front of what fills their rows")
    elif colours:
        lines.append(f"colours of small things that fly alone: {colours}")
    else:
        lines.append("warning: random play shows no small thing that flies alone")
    return "\n".join(lines)


def describe_training(
    steps: int, minutes: float, checkpoint: Path | None, fidelity: Mapping[str, float | None]
) -> str:
    """What a complete training took and what its reconstruction keeps.

    Args:
        steps: Agent steps.
        minutes: Duration.
        checkpoint: The last one.
        fidelity: As ``RunStatistics.final_fidelity`` returns it.
    """
    line = f"trained {steps:,} steps in {minutes:.1f} minutes: {checkpoint}"
    recall, ghost_rate = fidelity["artifact_recall"], fidelity["artifact_ghost_rate"]
    if recall is not None:
        line += f"\nthe reconstruction keeps {recall:.1%} of the artifacts"
        if ghost_rate is not None:
            line += f" and has one in {ghost_rate:.1%} of the frames without any"
    return line
