"""Ratios within a round, and the model of many ranks by arithmetic."""

import json
from pathlib import Path

import pytest

from agent.ppo_config import PPOConfig
from benchmarks import ranks
from benchmarks.processes import MeasuredTraining, Point


def test_ratios_are_those_within_a_round():
    rounds = [
        {"one_rank": 1000.0, "ranks_of_one_core": 1100.0},
        {"one_rank": 500.0, "ranks_of_one_core": 600.0},
        {"one_rank": 2000.0, "ranks_of_one_core": 2000.0},
    ]
    found = ranks.summary(rounds)
    assert found["one_rank"] == 1000.0
    assert found["ratio"] == pytest.approx(1.1)
    assert found["spread"] == [1.0, 1.2]


def test_the_gradients_are_those_of_all_parameters():
    assert ranks.gradient_bytes() % 4 == 0
    assert 4e6 < ranks.gradient_bytes() < 2e7


def test_the_model_adds_work_and_the_way_of_the_gradients():
    config = PPOConfig()
    averages = config.num_epochs * config.num_minibatches
    measured = {
        "ranks": 2, "trainings_of_one_core": 2000.0,
        "gradient_bytes": 10**6, "average_seconds": 0.001,
    }  # fmt: skip
    steps = 16 * config.num_steps
    work = steps / 1000.0
    result = ranks.model(measured)
    assert result["modelled"] == pytest.approx(2 * steps / (work + averages * 0.001))
    found = result["model"]
    assert found["1 Gbit/s"]["1"] == pytest.approx(steps / work)  # alone it sends nothing
    waited = averages * (2 * 3 / 4 * 10**6 / 1.25e8 + 2 * 3 * ranks.LATENCY)
    assert found["1 Gbit/s"]["4"] == pytest.approx(4 * steps / (work + waited))
    assert found["100 Gbit/s"]["256"] > found["10 Gbit/s"]["256"] > found["1 Gbit/s"]["256"]


def test_one_command_measures_in_turns_and_keeps_it(tmp_path: Path, monkeypatch, capsys):
    started: list[str] = []

    def train(path: Path, flags, launcher=()):
        started.append(path.name)
        assert bool(launcher) == (path.name == "ranks")
        assert ("--threads" in flags) == path.name.startswith("alone")
        assert flags[flags.index("--num-envs") + 1] == ("16" if "--threads" in flags else "32")
        rate = 200 if launcher else 100
        return MeasuredTraining([Point(n, n * rate, None) for n in range(10)], 1.0)

    monkeypatch.setattr(ranks, "train_ours", train)
    monkeypatch.setattr(ranks, "average_seconds", lambda _: 0.001)
    monkeypatch.setattr(ranks.os, "cpu_count", lambda: 2)
    path = tmp_path / "a.json"
    monkeypatch.setattr("sys.argv", ["ranks", "--json", str(path), "--rounds", "2"])
    ranks.main()
    assert len(started) == 8
    assert [*started[:2], *sorted(started[2:4])] == ["one", "ranks", "alone_0", "alone_1"]
    found = json.loads(path.read_text())
    assert found["ratio"] == 2.0
    assert found["model"]["10 Gbit/s"]["1"] == pytest.approx(100)  # of two trainings of one core
    assert 100 < found["modelled"] < 200
    assert "2.00 (2.00 to 2.00)" in capsys.readouterr().out


def test_averages_are_timed_among_real_ranks():
    assert 0 < ranks.average_seconds(2) < 1
