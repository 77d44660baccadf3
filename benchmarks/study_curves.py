"""Learning curves of a study, short enough to be kept in its result, and their plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from agent.actor_critic import STAGE
from envs import KUNG_FU_MASTER as GAME
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RECENT_GAMES
from monitoring.scalars import scalars

POINTS = 100
"""Points of a curve."""
SHARES = [f"gauges/{name}" for name in GAME.gauge_names if name.startswith(STAGE)]
"""Tags of the shares of steps on each stage."""
PANELS = {
    "score": (f"raw score, mean of {RECENT_GAMES} games", "{x:,.0f}", (0, None)),
    "stage": ("stage, mean over the steps", "{x:.0f}", (0, len(SHARES) + 1)),
    "recall": ("share of the artifacts that are kept", "{x:.0%}", (0, 1.02)),
}
"""What each plot shows, how its numbers are written, and where its axis begins and ends."""


def curves(run_dir: Path) -> dict[str, Sequence[float | None]]:
    """Learning curves of a training.

    Args:
        run_dir: Its directory.

    Returns:
        ``steps``, at most POINTS of them, and ``score``, ``stage`` and ``recall`` up to each since
        the one before, means over the updates between; None where there was none.
    """
    tags = {"score": "episode/return_recent", "recall": "artifacts/recall"}
    found = scalars(RunDirectory(run_dir).tensorboard, [*tags.values(), *SHARES])
    series = {
        name: np.array([(at.step, at.value) for at in found[tag]]).reshape(-1, 2)
        for name, tag in tags.items()
    }
    shares = [[(at.step, at.value) for at in found[tag]] for tag in SHARES]
    if any(shares):
        columns = np.array(shares)  # (stages, updates, 2)
        numbers = np.arange(1, len(SHARES) + 1)
        series["stage"] = np.stack([columns[0, :, 0], numbers @ columns[:, :, 1]], axis=1)
    updates = np.unique(np.concatenate([values[:, 0] for values in series.values()]))
    ends = updates[np.linspace(0, len(updates) - 1, min(POINTS, len(updates))).astype(int)]
    means = {name: _means(series.get(name, np.zeros((0, 2))), ends) for name in PANELS}
    return {"steps": [int(end) for end in ends], **means}


def _means(values: NDArray[np.float64], ends: NDArray[np.float64]) -> list[float | None]:
    """Means of the (step, value) pairs between each end and the one before."""
    spans = np.searchsorted(ends, values[:, 0])
    return [
        float(f"{values[spans == span, 1].mean():.5g}") if (spans == span).any() else None
        for span in range(len(ends))
    ]


def draw(arms: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw every training of a study as a line, in a plot for each curve.

    Args:
        arms: ``arms`` of its result.
        path: File for the picture.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    plots = figure.subplots(1, len(PANELS))
    lines = [(arm, one) for arm, found in arms.items() for one in found["trainings"]]
    for axes, (name, (title, form, limits)) in zip(plots, PANELS.items(), strict=True):
        for arm, one in lines:
            label = f"seed {one['train_seed']}" if len(arms) == 1 else f"{arm}, {one['train_seed']}"
            axes.plot(*_plotted(one["curves"], name), label=label)
        axes.set(title=title, xlabel="agent steps", ylim=limits)
        axes.xaxis.set_major_formatter(EngFormatter())
        axes.yaxis.set_major_formatter(form)
        axes.grid(alpha=0.3)
    plots[0].legend()
    figure.savefig(path, dpi=110)


def _plotted(found: Mapping[str, Sequence[float | None]], name: str) -> tuple[Any, Any]:
    """Steps and values of a curve; a gap where there is none."""
    return found["steps"], [np.nan if value is None else value for value in found[name]]
