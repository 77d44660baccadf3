"""The score study keeps its result, whatever the runs are like."""

import json
import subprocess
from collections import deque
from pathlib import Path

import pytest

from benchmarks import arms, score
from envs import GAME, EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics

FACTS = {
    "highest_floor": 1, "floors_cleared": 0, "lowest_boss_energy": 39,
    "lives_lost": {}, "damage": {}, "projectiles": {}, "knives": {},
}  # fmt: skip


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lays trained and judged runs of seeds 1, 2, ... with these recalls; returns the JSON file."""

    def lay(*recalls: float | None, protocol: EnvConfig | None = None) -> Path:
        for seed, recall in enumerate(recalls, 1):
            had = deque([] if recall is None else [recall])
            statistics = RunStatistics(steps=6000, seconds=60.0, recall=had)
            games = [PlayedGame(factor * seed, 5, False, FACTS) for factor in (100.0, 300.0)]
            run = RunDirectory(tmp_path / "runs" / "steps_500000" / f"seed_{seed}")
            run.path.mkdir(parents=True)
            run.write_evaluation(
                report(games, GAME, protocol or EnvConfig(), "run", "digest", 9, 1.0, statistics)
            )
        path = tmp_path / "score.json"
        seeds = [str(seed) for seed in range(1, len(recalls) + 1)]
        flags = ["--json", str(path), "--runs", str(tmp_path / "runs"), "--seeds", *seeds]
        monkeypatch.setattr("sys.argv", ["score", *flags])
        return path

    return lay


@pytest.mark.parametrize(
    ("recalls", "mean"), [((None, None), None), ((None, 0.5), 0.5), ((1.0, 0.5), 0.75)]
)
def test_a_run_without_artifacts_does_not_lose_the_study(study, capsys, recalls, mean):
    path = study(*recalls)
    score.main()
    found = json.loads(path.read_text())
    assert (found["mean_over_seeds"], found["lowest_seed"]) == (300.0, 200.0)
    assert found["artifact_recall_over_seeds"] == mean
    assert [run["train_seed"] for run in found["runs"]] == [1, 2]
    assert [run["artifact_recall"] for run in found["runs"]] == list(recalls)
    rows = [line for line in capsys.readouterr().out.splitlines() if " min " in line]
    kept = [row.split("│")[5].strip() for row in rows]
    assert kept == ["-" if recall is None else f"{recall:.1%}" for recall in recalls]


def test_a_result_is_written_before_it_is_printed(study, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise OSError("the terminal is gone")

    path = study(1.0)
    monkeypatch.setattr(score, "print_table", broken)
    with pytest.raises(OSError, match="the terminal is gone"):
        score.main()
    assert json.loads(path.read_text())["mean_over_seeds"] == 200.0


def test_runs_that_were_judged_otherwise_are_refused_before_any_training(study, monkeypatch):
    path = study(1.0, protocol=EnvConfig(frameskip=2))
    monkeypatch.setattr(arms, "_judge", lambda *_: pytest.fail("a training was started"))
    with pytest.raises(UserError, match=r"under the protocol .*'frameskip': 4.*seed_1.*: 2"):
        score.main()
    assert not path.exists()
    study_runs = path.parent / "runs" / "steps_500000" / "seed_1" / "evaluation.json"
    study_runs.write_text("{}")  # of a version that did not say
    with pytest.raises(UserError, match="has None"):
        score.main()


def test_a_damaged_evaluation_or_a_refused_training_is_one_line(study, monkeypatch):
    path = study(1.0)
    kept = path.parent / "runs" / "steps_500000" / "seed_1" / "evaluation.json"
    kept.write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json is no evaluation of a run"):
        score.main()
    kept.unlink()
    refused = subprocess.CompletedProcess([], 2)
    monkeypatch.setattr(arms.subprocess, "run", lambda *_, **__: refused)
    monkeypatch.setattr(arms, "note_commit", lambda _: None)
    with pytest.raises(UserError, match=r"seed 1 of steps_500000 could not be trained in .*seed_1"):
        score.main()
