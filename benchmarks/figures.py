"""Figures of a training: why its score is what it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from envs.kung_fu_master.ram import FULL_HEALTH


def figures(result: Mapping[str, Any]) -> dict[str, float | None]:
    """Why a score is what it is.

    Args:
        result: An evaluation, with the facts of its games.

    Returns:
        ``score``, the mean; ``dodged``, ``dodged_high`` and ``dodged_low``, shares of the knives
        that were dodged or suffered; ``hits_per_1000_steps`` of all projectiles;
        ``steps_per_life``; ``reached_floor_2`` and ``boss_hit``, shares of the games;
        ``boss_energy``, the lowest of a game as a share of its whole, mean; ``floors_cleared``,
        mean of a game; ``ended_by_clock``, share of the lives; ``recall``, live, at the end of the
        training. None where nothing was counted. Of a game whose RAM nobody reads only ``score``
        and ``recall``.
    """
    games: list[dict[str, Any]] = result["facts"]
    if not any(games):
        return {"score": result["mean"], "recall": result["artifact_recall"]}
    steps = sum(result["lengths"])

    def events(group: str, event: str, *kinds: str) -> int:
        return sum(
            counts[event]
            for game in games
            for kind, counts in game[group].items()
            if not kinds or kind in kinds
        )

    def dodged(*heights: str) -> float | None:
        good = events("knives", "dodged", *heights)
        return _share(good, good + events("knives", "suffered", *heights))

    lives = sum(sum(game["lives_lost"].values()) for game in games)
    by_clock = sum(game["lives_lost"].get("time", 0) for game in games)
    return {
        "score": result["mean"],
        "dodged": dodged(),
        "dodged_high": dodged("high"),
        "dodged_low": dodged("low"),
        "hits_per_1000_steps": 1000 * events("projectiles", "suffered") / steps,
        "steps_per_life": _share(steps, lives),
        "reached_floor_2": float(np.mean([game["floors_cleared"] > 0 for game in games])),
        "boss_hit": float(np.mean([game["lowest_boss_energy"] < FULL_HEALTH for game in games])),
        "boss_energy": float(np.mean([game["lowest_boss_energy"] for game in games])) / FULL_HEALTH,
        "floors_cleared": float(np.mean([game["floors_cleared"] for game in games])),
        "ended_by_clock": _share(by_clock, lives),
        "recall": result["artifact_recall"],
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def figures_table(arms: Mapping[str, Mapping[str, Any]]) -> Table:
    """The figures of every training of every arm, one row each."""
    table = Table("arm", "seed", *COLUMNS)
    for arm, found in arms.items():
        for one in found["trainings"]:
            table.add_row(arm, str(one["train_seed"]), *cells(one["figures"]))
    return table


COLUMNS = (
    "score", "knives dodged", "high", "low", "hits in 1,000 steps", "steps a life",
    "ended by the clock", "reached floor 2", "floors cleared", "boss hit", "kept",
)  # fmt: skip
"""What ``cells`` are called in a table."""


def cells(found: Mapping[str, Any]) -> list[str]:
    """What a table says of ``figures``."""
    return [
        f"{found['score']:,.0f}",
        *(_percent(found[name]) for name in ("dodged", "dodged_high", "dodged_low")),
        f"{found['hits_per_1000_steps']:.1f}",
        "-" if found["steps_per_life"] is None else f"{found['steps_per_life']:,.0f}",
        *(_percent(found[name]) for name in ("ended_by_clock", "reached_floor_2")),
        f"{found['floors_cleared']:.1f}",
        _percent(found["boss_hit"]),
        "-" if found["recall"] is None else f"{found['recall']:.1%}",
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
