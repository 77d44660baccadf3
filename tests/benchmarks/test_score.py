"""The score study keeps its result, whatever the runs are like, and draws its curves."""

import json
import re
import subprocess
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import summary

from benchmarks import arms, score
from benchmarks.study_curves import POINTS, SHARES, curves
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from experiment.command_line import ROOT, parse
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics
from monitoring.event_file import EventFile

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
            run = RunDirectory(tmp_path / "runs" / "default" / f"seed_{seed}")
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


@pytest.mark.parametrize("recalls", [(None, None), (None, 0.5), (1.0, 0.5)])
def test_a_run_without_artifacts_does_not_lose_the_study(study, capsys, recalls):
    path = study(*recalls)
    score.main()
    trainings = json.loads(path.read_text())["arms"]["default"]["trainings"]
    assert [one["train_seed"] for one in trainings] == [1, 2]
    assert [one["mean"] for one in trainings] == [200.0, 400.0]
    assert [one["figures"]["recall"] for one in trainings] == list(recalls)
    printed = capsys.readouterr().out.split()
    for text in ("200", "400", *("-" if recall is None else f"{recall:.1%}" for recall in recalls)):
        assert text in printed
    assert path.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"


def test_a_result_is_written_before_it_is_printed(study, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise OSError("the terminal is gone")

    path = study(1.0)
    monkeypatch.setattr(score, "print_table", broken)
    with pytest.raises(OSError, match="the terminal is gone"):
        score.main()
    (training,) = json.loads(path.read_text())["arms"]["default"]["trainings"]
    assert training["mean"] == 200.0


def test_runs_that_were_judged_otherwise_are_refused_before_any_training(study, monkeypatch):
    path = study(1.0, protocol=EnvConfig(frameskip=2))
    monkeypatch.setattr(arms, "_judge", lambda *_: pytest.fail("a training was started"))
    with pytest.raises(UserError, match=r"under the protocol .*'frameskip': 4.*seed_1.*: 2"):
        score.main()
    assert not path.exists()
    study_runs = path.parent / "runs" / "default" / "seed_1" / "evaluation.json"
    study_runs.write_text("{}")  # of a version that did not say
    with pytest.raises(UserError, match="has None"):
        score.main()


def test_a_damaged_evaluation_or_a_refused_training_is_one_line(study, monkeypatch):
    path = study(1.0)
    kept = path.parent / "runs" / "default" / "seed_1" / "evaluation.json"
    kept.write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json is no evaluation of a run"):
        score.main()
    kept.unlink()
    refused = subprocess.CompletedProcess([], 2)
    monkeypatch.setattr(arms.subprocess, "run", lambda *_, **__: refused)
    monkeypatch.setattr(arms, "note_commit", lambda _: None)
    monkeypatch.setattr(arms, "provenance", lambda _: {})
    with pytest.raises(UserError, match=r"seed 1 of default could not be trained in .*seed_1"):
        score.main()


def test_every_recipe_is_a_training_of_its_own():
    configs = {recipe: parse(list(flags))[0] for recipe, flags in score.RECIPES.items()}
    assert configs["default"] == parse([])[0]
    assert len(set(configs.values())) == len(score.RECIPES)


def test_the_documented_climb_is_the_one_that_was_studied():
    text = (ROOT / "docs" / "credit.md").read_text()
    (documented,) = re.findall(r'RUN_DIR=runs/climb ARGS="([^"]*)"', text)
    studied = parse(["--total-steps", "10000000", *score.RECIPES["climb"]])[0]
    assert parse(documented.replace("\\\n", " ").split())[0] == studied


def write_curves(run_dir: Path, updates: int) -> None:
    """Of a training of ten steps an update, a quarter of them on stage 4 and the rest on 1."""
    file = EventFile(run_dir / "tensorboard", 0)
    for update in range(1, updates + 1):
        file.add(summary.scalar("episode/return_recent", update), 10 * update)
        for number, tag in enumerate(SHARES, 1):
            file.add(summary.scalar(tag, {1: 0.75, 4: 0.25}.get(number, 0)), 10 * update)
    file.add(summary.scalar("artifacts/recall", 0.5), 20)
    file.close()


def test_short_curves_are_kept_as_they_are(tmp_path: Path):
    write_curves(tmp_path, 3)
    assert curves(tmp_path) == {
        "steps": [10, 20, 30],
        "score": [1, 2, 3],
        "stage": [1.75, 1.75, 1.75],
        "recall": [None, 0.5, None],
    }
    assert curves(tmp_path / "none") == {"steps": [], "score": [], "stage": [], "recall": []}


def test_long_curves_are_means_between_their_points(tmp_path: Path):
    write_curves(tmp_path, 5 * POINTS)
    found = curves(tmp_path)
    steps = np.array(found["steps"])
    assert (len(steps), steps[-1]) == (POINTS, 50 * POINTS)
    updates = np.diff(steps, prepend=0) // 10  # in each mean: of the numbers up to steps / 10
    np.testing.assert_allclose(found["score"], steps / 10 - (updates - 1) / 2, rtol=1e-4)
