"""Studies: what is trained, what is kept, and figures by arithmetic."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import arms
from benchmarks.arms import StudyConfig, figures_of, run_study
from benchmarks.figures import figures, figures_table
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from experiment.errors import UserError
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
        "lives_lost": {"knife": lives - 1, "time": 1} if lives else {}, "damage": {},
        "knives": knives,
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
        "ended_by_clock": 2 / 5,
        "recall": None,
    }


def test_what_was_not_counted_is_none():
    quiet = game(0, 39, 0) | {"projectiles": {}}
    found = figures(evaluation([PlayedGame(0.0, 10, True, quiet)]))
    assert [name for name, value in found.items() if value is None] == [
        "dodged", "dodged_high", "dodged_low", "steps_per_life", "ended_by_clock", "recall"
    ]  # fmt: skip
    trainings = [{"train_seed": 1, "figures": found}]
    assert natural_width(figures_table({"arm": {"trainings": trainings}})) > 0


Trained = list[tuple[str, list[str]]]
"""Directories and flags of the trainings that were started."""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Has every training done at once."""
    started: Trained = []

    def train(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        path = Path(command[command.index("--run-dir") + 1])
        started.append((str(path), command[command.index("--evaluation-games") + 2 :]))
        assert int(settings["env"]["OMP_NUM_THREADS"]) >= 1
        RunDirectory(path).write_evaluation(evaluation())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(arms.subprocess, "run", train)
    monkeypatch.setattr(arms, "commit", lambda: "abc")
    monkeypatch.setattr(arms, "machine", lambda: "a machine")
    monkeypatch.setattr(arms, "provenance", lambda _: {"commit": "abc"})
    return started


BOTH = {"off": ("--credit.damage", "0"), "on": ()}


def config(path: Path, *seeds: int, **fields: Any) -> StudyConfig:
    fields = {"runs": path / "runs", "steps": 900} | fields
    return StudyConfig(path / "result.json", seeds, **fields)


def seeds_of(result: dict[str, Any]) -> dict[str, list[int]]:
    return {
        arm: [one["train_seed"] for one in found["trainings"]]
        for arm, found in result["arms"].items()
    }


def test_every_seed_of_every_arm_is_trained_with_its_flags_and_judged(
    tmp_path: Path, trained: Trained
):
    result = run_study("score", config(tmp_path, 7, 4), BOTH)
    assert sorted(trained) == sorted(
        (
            str(tmp_path / "runs" / arm / f"seed_{seed}"),
            ["--seed", str(seed), "--total-steps", "900", *flags],
        )
        for seed in (4, 7)
        for arm, flags in BOTH.items()
    )
    assert seeds_of(result) == {"off": [4, 7], "on": [4, 7]}
    assert figures_of(result, "on", "score") == [200, 200]
    assert result["arms"]["off"]["trainings"][0]["commits"] == ["abc"]
    assert json.loads((tmp_path / "result.json").read_text()) == result
    trained.clear()  # what is there is reused
    again = run_study("score", config(tmp_path, 4, 7, parallel=1), BOTH)
    assert again["arms"] == result["arms"]
    assert not trained


def test_a_study_is_added_to_where_the_runs_are_gone(tmp_path: Path, trained: Trained):
    first = run_study("score", config(tmp_path, 4), BOTH)
    later = config(tmp_path, 3, 4, add=True, runs=tmp_path / "elsewhere")
    result = run_study("score", later, {"on": (), "new": ("--seed", "1")})
    assert seeds_of(result) == {"off": [4], "on": [3, 4], "new": [3, 4]}
    assert result["arms"]["off"] == first["arms"]["off"]
    assert result["arms"]["on"]["trainings"][1:] == first["arms"]["on"]["trainings"]
    trained.clear()
    fresh = run_study("score", config(tmp_path, 4), {"on": ()})  # without add
    assert seeds_of(fresh) == {"on": [4]}


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ("[]", "json must be the result of a study to add to"),
        ('{"protocol": {}, "arms": {}}', "json must have been made under"),
        (None, "those of on are --total-steps 900, not --total-steps 900 --ppo.gamma 0.5"),
    ],
)
def test_what_cannot_be_added_to_is_told_before_any_training(
    tmp_path: Path, trained: Trained, held: str | None, message: str
):
    run_study("score", config(tmp_path, 4), BOTH)
    path = tmp_path / "result.json"
    path.write_text(held or path.read_text())
    before = path.read_text()
    trained.clear()
    with pytest.raises(UserError, match=message):
        run_study("score", config(tmp_path, 5, add=True), {"on": ("--ppo.gamma", "0.5")})
    assert not trained
    assert path.read_text() == before


@pytest.mark.usefixtures("trained")
def test_what_was_done_is_kept_when_a_later_training_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = arms.subprocess.run

    def fails(command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        return done(command, **settings) if "4" in command else subprocess.CompletedProcess([], 2)

    monkeypatch.setattr(arms.subprocess, "run", fails)
    with pytest.raises(UserError, match=r"seed 5 of on could not be trained in .*seed_5"):
        run_study("score", config(tmp_path, 4, 5, parallel=1), {"on": ()})
    assert seeds_of(json.loads((tmp_path / "result.json").read_text())) == {"on": [4]}
