"""Score against time, with trainings made by hand, and the yardstick's protocol."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.credit import CreditConfig
from benchmarks import sb3, sb3_damage, time_to_score
from benchmarks.processes import MeasuredTraining, Point
from benchmarks.time_to_score import OURS, TimeToScoreConfig, code, last_before
from envs.kung_fu_master import ram as truth
from experiment.errors import UserError

POINTS = [Point(20.0, 100, None), Point(55.0, 200, 10.0), Point(61.0, 300, 20.0)]


def test_a_minute_has_the_last_point_before_its_end():
    assert last_before(10, POINTS) == Point(0.0, 0, None)
    assert last_before(60, POINTS) == POINTS[1]
    assert last_before(120, POINTS) == POINTS[2]


def test_contenders_take_turns_and_finished_ones_are_kept(tmp_path: Path, monkeypatch):
    trained = []

    def ours(run_dir: Path, flags: list[str], seconds: float) -> MeasuredTraining:
        assert seconds == 120
        assert (run_dir / "commits").read_text().strip()  # who judges it later wants to know
        assert flags[2:4] == ["--total-steps", "9000"]
        trained.append((run_dir.parent.name, int(flags[1])))
        score = 300.0 if flags[4:] else 600.0
        return MeasuredTraining([Point(30.0, 5000, 100.0), Point(100.0, 9000, score)], 1.0)

    def theirs(
        algorithm: str, seed: int, _file: Path, _seconds: float, module: str
    ) -> MeasuredTraining:
        told = module == "benchmarks.sb3_damage"
        trained.append((algorithm + "_damage" * told, seed))
        score = 200.0 if told else {"a2c": 100.0, "ppo": 50.0}[algorithm]
        return MeasuredTraining([Point(90.0, 800, score)], 1.0)

    monkeypatch.setattr(time_to_score, "train_ours", ours)
    monkeypatch.setattr(time_to_score, "train_sb3", theirs)
    path = tmp_path / "result.json"
    for seeds in (["1"], ["1", "2"]):
        flags = ["--json", str(path), "--minutes", "2", "--seeds", *seeds]
        flags += ["--runs", str(tmp_path / "runs"), "--total-steps", "9000"]
        monkeypatch.setattr("sys.argv", ["time_to_score", *flags])
        time_to_score.main()
    names = ("knifesight", "knifesight_score_alone", "a2c", "ppo", "ppo_damage")
    assert trained == [(name, seed) for seed in (1, 2) for name in names]
    result = json.loads(path.read_text())
    assert result["final"] == {
        "knifesight": 600.0, "knifesight_score_alone": 300.0,
        "sb3_a2c": 100.0, "sb3_ppo": 50.0, "sb3_ppo_damage": 200.0,
    }  # fmt: skip
    assert result["ratio_to_better_sb3"] == pytest.approx(6.0)
    assert result["score_alone_to_better_sb3"] == pytest.approx(3.0)
    assert result["ratio_to_sb3_ppo_damage"] == pytest.approx(3.0)
    assert [run["score"] for run in result["runs"][1:3]] == [[100.0, 300.0], [None, 100.0]]
    assert [run["total_steps"] for run in result["runs"][1:3]] == [9000, None]
    assert path.with_suffix(".png").stat().st_size > 1000
    monkeypatch.setattr("sys.argv", ["time_to_score", *flags, "--total-steps", "8000"])
    with pytest.raises(UserError, match="with another length, machine or code"):
        time_to_score.main()


def test_the_code_of_a_training_is_all_of_ours_that_it_imports():
    root = Path(time_to_score.__file__).parents[1]
    listed = """
import sys, train
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None))
"""
    printed = subprocess.run(
        [sys.executable, "-c", listed], check=True, capture_output=True, text=True, cwd=root
    ).stdout
    paths = [Path(line) for line in printed.splitlines()]
    ours = [path.relative_to(root) for path in paths if path.is_relative_to(root)]
    imported = {path.parts[0] for path in ours if ".venv" not in path.parts}
    assert imported == set(OURS)


def test_contenders_have_other_code_and_what_is_the_same_has_the_same():
    assert code("sb3_a2c") == code("sb3_ppo") != code("knifesight")
    assert code("sb3_ppo_damage") not in (code("sb3_ppo"), code("knifesight"))
    assert code("knifesight") == code("knifesight_score_alone")


def test_the_yardstick_with_our_damage_term_pays_for_hits_alone():
    model = sb3_damage.build_with_damage(seed=1)
    (game, *others) = model.get_env().unwrapped.envs
    assert len(others) == 7
    assert model.observation_space.shape == (4, 84, 84)
    term = next(env for env in wrappers(game) if isinstance(env, sb3_damage.DamageTerm))
    rng = np.random.default_rng(0)
    term.reset(seed=0)
    before, hits = term.unwrapped.ale.getRAM(), 0
    for _ in range(400):
        _, reward, over, _, _ = term.step(int(rng.integers(14)))
        after = term.unwrapped.ale.getRAM()
        lost = max(0, truth.player_health(before) - truth.player_health(after))
        sign = reward + CreditConfig().damage * lost / 39
        assert sign == pytest.approx(round(sign), abs=1e-3)
        assert -1 <= round(sign) <= 1
        hits += lost > 0
        if over:
            term.reset()
            after = term.unwrapped.ale.getRAM()
        before = after
    assert hits > 3


def wrappers(env: Any) -> Iterator[Any]:
    """A game and all that it wraps."""
    while True:
        yield env
        if env is env.unwrapped:
            return
        env = env.env


@pytest.mark.parametrize(
    "text",
    [
        '{"runs": [{"name": "sb3_ppo", "score": [1.0], "total_steps": null, "machine": "x", '
        '"code": "y"}]}',
        "[]",
    ],
)
def test_a_file_with_other_runs_is_refused_and_left_alone(tmp_path: Path, monkeypatch, text: str):
    path = tmp_path / "result.json"
    path.write_text(text)
    monkeypatch.setattr("sys.argv", ["time_to_score", "--json", str(path), "--minutes", "1"])
    with pytest.raises(UserError, match=r"result\.json holds .*; choose another file"):
        time_to_score.main()
    assert path.read_text() == text


def test_the_yardstick_plays_by_our_protocol_and_its_scores_are_raw():
    recorder = sb3.Recorder()
    model = sb3.build("a2c", seed=1)
    (env, *others) = model.get_env().unwrapped.envs
    assert len(others) == 15
    assert env.unwrapped._frameskip == 1  # the wrapper skips three of four
    assert env.unwrapped.ale.getFloat("repeat_action_probability") == 0.25
    assert env.observation_space.shape == (84, 84, 1)
    model.learn(160, recorder)
    assert [point.steps for point in recorder.points] == [80, 160]
    recorder.locals = {"infos": [{}, {"episode": {"r": 700.0}}]}
    recorder._on_step()
    recorder._on_rollout_end()
    assert recorder.points[-1].score == 700.0


@pytest.mark.parametrize(("field", "value"), [("minutes", 0), ("total_steps", 0), ("seeds", ())])
def test_impossible_settings_are_named(tmp_path: Path, field: str, value: object):
    with pytest.raises(ValueError, match=f"{field} must be"):
        TimeToScoreConfig(json=tmp_path / "x.json", **{field: value})  # type: ignore[arg-type]
