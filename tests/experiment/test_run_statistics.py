"""RunStatistics survive a checkpoint."""

import json

import pytest

from agent.collector import Episode
from experiment.run_statistics import RECENT_GAMES, RECENT_UPDATES, RunStatistics
from settings import from_json, to_json


def test_metrics_of_an_update():
    statistics = RunStatistics()
    assert statistics.update(16, 2.0, [], {}) == {"speed/steps_per_second": 8.0}
    metrics = statistics.update(16, 4.0, [Episode(100.0, 10), Episode(300.0, 20)], {})
    assert metrics == {
        "speed/steps_per_second": 4.0,
        "episode/return": 200.0,
        "episode/length": 15.0,
        "episode/return_recent": 200.0,
    }
    assert (statistics.steps, statistics.updates, statistics.episodes) == (32, 2, 2)
    assert statistics.seconds == pytest.approx(6.0)


def test_only_recent_games_count_after_a_resume_too():
    statistics = RunStatistics()
    statistics.update(1, 1.0, [Episode(0.0, 1)] * RECENT_GAMES, {})
    stored = json.loads(json.dumps(to_json(statistics)))
    resumed = from_json(stored, RunStatistics)
    metrics = resumed.update(1, 1.0, [Episode(50.0, 1)] * RECENT_GAMES, {})
    assert metrics["episode/return_recent"] == 50.0
    assert len(resumed.recent) == RECENT_GAMES


def test_the_recent_recall_leaves_out_updates_without_artifacts():
    statistics = RunStatistics()
    assert "artifacts/recall_recent" not in statistics.update(
        1, 1.0, [], {"artifacts/ghost_rate": 0.5}
    )
    statistics.update(1, 1.0, [], {"artifacts/recall": 0.5, "artifacts/ghost_rate": 0.0})
    metrics = statistics.update(1, 1.0, [], {"artifacts/recall": 1.0})
    assert metrics["artifacts/recall"] == 1.0
    assert metrics["artifacts/recall_recent"] == pytest.approx(0.75)
    assert list(statistics.ghost_rate) == [0.5, 0.0]
    for _ in range(RECENT_UPDATES):
        metrics = statistics.update(1, 1.0, [], {"artifacts/recall": 0.25})
    assert metrics["artifacts/recall_recent"] == pytest.approx(0.25)


def test_final_figures_are_means_or_none():
    statistics = RunStatistics()
    assert statistics.final_fidelity() == {"artifact_recall": None, "artifact_ghost_rate": None}
    statistics.update(1, 1.0, [], {"artifacts/recall": 0.5, "artifacts/ghost_rate": 0.0})
    statistics.update(1, 1.0, [], {"artifacts/recall": 1.0})
    assert statistics.final_fidelity() == {"artifact_recall": 0.75, "artifact_ghost_rate": 0.0}
