"""Arms of a study: what is run, and figures by arithmetic."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import arms
from benchmarks.arms import arms_table, figures, judge
from envs import GAME, EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics
from monitoring.console import natural_width


def counts(dodged: int, suffered: int) -> dict[str, int]:
    return {"thrown": dodged + suffered, "dodged": dodged, "suffered": suffered}


def game(cleared: int, energy: int, lives: int, **knives: dict[str, int]) -> dict[str, Any]:
    dodged, suffered = (
        sum(one[event] for one in knives.values()) for event in ("dodged", "suffered")
    )
    return {
        "highest_floor": 1 + cleared, "floors_cleared": cleared, "lowest_boss_energy": energy,
        "lives_lost": {"knife": lives}, "damage": {}, "knives": knives,
        "projectiles": {"knife": counts(dodged, suffered), "boomerang": counts(0, 1)},
    }  # fmt: skip


PLAYED = [
    PlayedGame(100.0, 700, False, game(0, 39, 4, high=counts(3, 1), low=counts(1, 3))),
    PlayedGame(300.0, 300, False, game(2, 0, 1, high=counts(4, 0))),
]


def evaluation(played: list[PlayedGame] = PLAYED) -> dict[str, Any]:
    return report(played, GAME, EnvConfig(), "run", "digest", 9, 1.0, RunStatistics())


def test_figures_of_two_games_by_arithmetic():
    assert figures(evaluation()) == {
        "score": 200,
        "dodged": 8 / 12,
        "dodged_high": 7 / 8,
        "dodged_low": 1 / 4,
        "hits_per_1000_steps": 6,  # four knives and two boomerangs in 1,000 steps
        "steps_per_life": 200,
        "reached_floor_2": 0.5,
        "boss_hit": 0.5,
        "boss_energy": 0.5,
        "floors_cleared": 1.0,
        "recall": None,
    }


def test_what_was_not_counted_is_none():
    quiet = game(0, 39, 0) | {"projectiles": {}, "lives_lost": {}}
    found = figures(evaluation([PlayedGame(0.0, 10, True, quiet)]))
    assert [name for name, value in found.items() if value is None] == [
        "dodged", "dodged_high", "dodged_low", "steps_per_life", "recall"
    ]  # fmt: skip
    assert natural_width(arms_table({"arm": [{"train_seed": 1, "figures": found}]})) > 0


def test_every_seed_of_every_arm_is_trained_with_its_flags_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[tuple[list[str], str]] = []

    def train(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        path = Path(command[command.index("--run-dir") + 1])
        started.append((command[command.index("--evaluation-games") + 2 :], str(path)))
        assert int(settings["env"]["OMP_NUM_THREADS"]) >= 1
        RunDirectory(path).write_evaluation(evaluation())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(arms.subprocess, "run", train)
    monkeypatch.setattr(arms, "commit", lambda: "abc")
    both = {"off": ["--credit.damage", "0"], "on": []}
    judged = judge(both, (4, 7), tmp_path, parallel=2)
    assert sorted(started) == sorted(
        (["--seed", str(seed), *flags], str(tmp_path / arm / f"seed_{seed}"))
        for seed in (4, 7)
        for arm, flags in both.items()
    )
    assert {arm: [one["train_seed"] for one in found] for arm, found in judged.items()} == {
        "off": [4, 7], "on": [4, 7]
    }  # fmt: skip
    assert judged["on"][0]["commits"] == ["abc"]
    assert judged["on"][0]["figures"]["score"] == 200
    started.clear()  # what is there is reused
    assert judge(both, (4, 7), tmp_path, parallel=1) == judged
    assert not started
