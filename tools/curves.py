"""Curves of training runs in one picture: score, reconstruction loss, what becomes of artifacts.

Runs whose config.json differs only in the fields of ``ALIKE`` are one group. Its line is the mean
over seeds. The band around the line is the mean's 95 % interval by Student's t. The curves of a
group are interpolated on one grid. It begins where the last curve begins and ends where the first
one ends: where a seed is missing, the mean would jump.

Example:
    python -m tools.curves runs/seed_1 runs/seed_2 runs/seed_3 --out curves.png
"""

import json
import math
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from scipy import special

from envs import Game, find_game
from experiment.command_line import check_output, exit_code
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RECENT_GAMES, RECENT_UPDATES
from monitoring.scalars import scalars
from settings import Checked, Role, flat, names_with

ALIKE = names_with(TrainConfig, Role.NEUTRAL) | {"seed"}
"""Fields in which the runs of a group may differ: the seed, and what does not change a training."""
MAX_GROUPS = 10
"""Colours that can be told apart."""
GRID = 500
"""Points of a mean curve; a panel is about as many pixels wide."""
SCORE = "episode/return_recent"
LOSSES = ("loss/reconstruction", "loss/reconstruction_unweighted")
SHARES = ("artifacts/recall", "artifacts/ghost_rate")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurvesConfig(Checked):
    """Draw the curves of training runs; those that differ only in their seed are averaged."""

    run_dirs: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of the runs, each with config.json and tensorboard/."""
    out: Path
    """File for the picture, ending in .png."""


class Curve(NamedTuple):
    """A tag's values over a training, (P,) each."""

    steps: Floats
    minutes: Floats
    """Minutes of training, without start-up and without the pause before a resumption."""
    values: Floats


class Panel(NamedTuple):
    """One of the four plots."""

    title: str
    axis: Literal["steps", "minutes"]
    unit: str
    form: str
    """Format of the numbers on its vertical axis."""
    tags: tuple[str, ...]
    """The first is drawn as a solid line, the second as a dashed one."""


POINTS = "raw score in points", "{x:,.0f}", (SCORE,)
MEAN = f"mean of the last {RECENT_UPDATES} updates"
LOSS = f"Reconstruction loss, {MEAN}\nsolid: weighted, dashed: unweighted"
FATE = f"What becomes of artifacts, {MEAN}\nsolid: kept, dashed: ghosts in frames without any"
PANELS = (
    Panel(f"Score, mean of the last {RECENT_GAMES} games", "steps", *POINTS),
    Panel(f"Score, mean of the last {RECENT_GAMES} games", "minutes", *POINTS),
    Panel(LOSS, "steps", "squared error in normalised pixels", "{x:g}", LOSSES),
    Panel(FATE, "steps", "share of the frames with, or without", "{x:.0%}", SHARES),
)


def main() -> None:
    """Check everything, then read and draw."""
    config = tyro.cli(CurvesConfig)
    check(config)
    groups = grouped(config.run_dirs)
    curves = {label: [read(run_dir) for run_dir in group] for label, group in groups.items()}
    draw(curves, played(config.run_dirs), config.out)


def check(config: CurvesConfig) -> None:
    """Raise UserError if there is nothing to draw or the picture cannot be written."""
    if not config.run_dirs:
        raise UserError("run_dirs must be one or more directories of training runs, got none")
    if config.out.suffix != ".png":
        raise UserError(f"out must end in .png, got {config.out}")
    check_output(config.out, "out")


def grouped(run_dirs: Sequence[Path]) -> dict[str, list[Path]]:
    """The directories of every group by its label, which says how it differs, and its size.

    Raises:
        UserError: If a config cannot be read, a group has a seed twice or there are too many.
    """
    groups: dict[tuple[tuple[str, str], ...], dict[str, Path]] = {}
    for run_dir in run_dirs:
        fields = config_fields(run_dir)
        key = sorted(item for item in fields.items() if item[0] not in ALIKE)
        seeds, seed = groups.setdefault(tuple(key), {}), fields["seed"]
        if seed in seeds:  # would count twice, and make the interval too narrow
            raise UserError(
                "run_dirs must differ in their seed or in what they train, "
                f"but {seeds[seed]} and {run_dir} have the same of both"
            )
        seeds[seed] = run_dir
    if len(groups) > MAX_GROUPS:
        raise UserError(f"run_dirs must form at most {MAX_GROUPS} groups, got {len(groups)}")
    everywhere = set[tuple[str, str]].intersection(*map(set, groups))
    names = sorted({name for group in groups for name, _ in set(group) - everywhere})
    labelled: dict[str, list[Path]] = {}
    for group, seeds in groups.items():
        differing = [f"{name}={dict(group).get(name, 'absent')}" for name in names]
        label = ", ".join(differing) or "all runs"
        labelled[f"{label}, n={len(seeds)}"] = [*seeds.values()]
    return labelled


def played(run_dirs: Sequence[Path]) -> Game:
    """The game of all runs.

    Raises:
        UserError: If they are not of one game that ale-py plays.
    """
    games = sorted({config_fields(run_dir).get("env.game", "") for run_dir in run_dirs})
    if len(games) > 1:
        raise UserError(f"run_dirs must be runs of one game, got runs of {' and '.join(games)}")
    try:
        return find_game(games[0])
    except ValueError as error:
        raise UserError(f"run_dirs must be runs of a game that can be played: {error}") from error


def config_fields(run_dir: Path) -> dict[str, str]:
    """Every field of a run's config.json as text, by its dotted name.

    Raises:
        UserError: If it cannot be read.
    """
    path = RunDirectory(run_dir).config
    must = f"run_dirs must be directories of training runs, but {path}"
    try:
        config: Any = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"{must} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no text, no JSON, or a null byte in the path
        raise UserError(f"{must} cannot be read: {error}") from error
    fields = {name: str(value) for name, value in flat(config).items()}
    if "seed" not in fields:
        raise UserError(f"{must} names no seed")
    return fields


def read(run_dir: Path) -> dict[str, Curve]:
    """A run's curves by tag, losses and shares smoothed.

    Raises:
        UserError: If a curve is missing or too short to be drawn.
    """
    drawn = (SCORE, *LOSSES, *SHARES)
    speed = "speed/steps_per_second"
    found = scalars(RunDirectory(run_dir).tensorboard, (speed, *drawn))

    def series(tag: str) -> tuple[Floats, Floats]:
        points = found[tag]
        if len(points) < 2:
            raise UserError(
                f"run_dirs must hold two or more values of every curve, but {run_dir} has "
                f"{len(points)} of {tag}; train longer"
            )
        return np.array([at.step for at in points], float), np.array([at.value for at in points])

    updates, speeds = series(speed)
    minutes = minutes_of_training(updates, speeds)
    curves: dict[str, Curve] = {}
    for tag in drawn:
        steps, values = series(tag)
        # The score is a mean already. Updates without an artifact have no recall.
        smooth = values if tag == SCORE else running_mean(values, RECENT_UPDATES)
        curves[tag] = Curve(steps, np.interp(steps, updates, minutes), smooth)
    return curves


def minutes_of_training(steps: Floats, speeds: Floats) -> Floats:
    """Minutes from the start of the first update to the end of each, without any pause.

    Args:
        steps: (P,), agent steps at the end of each update.
        speeds: (P,), agent steps a second in it.
    """
    return np.cumsum(np.diff(steps, prepend=0) / speeds) / 60


def running_mean(values: Floats, width: int) -> Floats:
    """Mean of each value and the ``width - 1`` before it, or as many as there are; (P,)."""
    sums = np.cumsum([0.0, *values])
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def common_grid(axes: Sequence[Floats], tag: str) -> Floats:
    """Points at which every curve of a group has a value, (GRID,).

    Raises:
        UserError: If one ends before another begins.
    """
    start = max(float(axis[0]) for axis in axes)
    end = min(float(axis[-1]) for axis in axes)
    if start >= end:
        raise UserError(
            f"run_dirs of one group must overlap, but a curve of {tag} ends at {end:,.0f} and "
            f"another begins at {start:,.0f}; train longer"
        )
    return np.linspace(start, end, GRID)


def mean_and_half_width(values: Floats) -> tuple[Floats, Floats | None]:
    """Mean over seeds and half of its 95 % interval by Student's t, (G,) each.

    Args:
        values: (n, G), a row for each seed; a single one has no interval.
    """
    count = len(values)
    mean: Floats = values.mean(axis=0)
    if count == 1:
        return mean, None
    quantile = float(special.stdtrit(count - 1, 0.975))
    return mean, quantile * values.std(axis=0, ddof=1) / math.sqrt(count)


def draw(groups: dict[str, list[dict[str, Curve]]], game: Game, out: Path) -> None:
    """Write the picture: four panels, and below them which colour is which group."""
    labels = [textwrap.fill(label, 150) for label in groups]
    lines = sum(label.count("\n") + 1 for label in labels)
    figure = Figure(figsize=(13, 9 + 0.2 * lines), layout="constrained")
    for axes, panel in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        for index, runs in enumerate(groups.values()):
            draw_group(axes, panel, f"C{index}", runs)
        dress(axes, panel, game)
    figure.legend(
        handles=[Line2D([], [], color=f"C{i}", linewidth=3) for i in range(len(labels))],
        labels=labels,
        title="Thick: mean over n seeds; thin: each; shaded: its 95 % interval (Student's t)",
        loc="outside lower center",
    )
    figure.savefig(out, dpi=120)


def draw_group(axes: Axes, panel: Panel, colour: str, runs: list[dict[str, Curve]]) -> None:
    """Draw the means of a group as thick lines in bands, and each run as a thin line."""
    for tag, style in zip(panel.tags, ("-", "--"), strict=False):
        curves = [(getattr(curve[tag], panel.axis), curve[tag].values) for curve in runs]
        grid = common_grid([axis for axis, _ in curves], tag)
        values = np.array([np.interp(grid, axis, value) for axis, value in curves])
        mean, half = mean_and_half_width(values)
        axes.plot(grid, mean, color=colour, linewidth=2, linestyle=style)
        if half is not None:
            for run in values:
                axes.plot(grid, run, color=colour, linewidth=0.7, alpha=0.6, linestyle=style)
            axes.fill_between(grid, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)


def dress(axes: Axes, panel: Panel, game: Game) -> None:
    """Set titles, units and limits; mark the scores of a human and of random play."""
    axes.set_title(panel.title, fontsize="medium")
    in_steps = panel.axis == "steps"
    axes.set_xlabel("agent steps" if in_steps else "minutes of training, without pauses")
    axes.set_ylabel(panel.unit)
    axes.grid(alpha=0.3)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter("{x:,.0f}" if in_steps else "{x:g}")
    if panel.tags == LOSSES:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        # At first games look alike and the loss is next to nothing; the axis leaves that out.
        later = [np.asarray(line.get_ydata())[GRID // 2 :] for line in axes.lines]
        axes.set_ylim(bottom=0.7 * np.min(later))
    elif panel.tags == SHARES:
        axes.set_ylim(-0.02, 1.02)  # a band may go beyond what a share can be
    else:
        players = {"random": game.random_score, "human": game.human_score}
        known = {name: score for name, score in players.items() if score is not None}
        for score in known.values():
            axes.axhline(score, color="black", linewidth=0.8, linestyle="--")
        if not any(score < 0 for score in known.values()):
            axes.set_ylim(bottom=0)  # last, since the upper limit is fixed from here on
        beside = axes.secondary_yaxis("right")
        labels = [f"{name}\n{score:,}" for name, score in known.items()]
        beside.set_yticks([*known.values()], labels, fontsize="small", va="bottom")
    axes.yaxis.set_major_formatter(panel.form)


if __name__ == "__main__":
    sys.exit(exit_code(main))
