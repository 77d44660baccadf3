"""Counters survive a checkpoint."""

import json

import cattrs
import pytest

from agent.collector import Episode
from agent.counters import RECENT_GAMES, RECENT_UPDATES, Counters


def test_metrics_of_an_update():
    counters = Counters()
    assert counters.count(16, 2.0, [], {}) == {"speed/steps_per_second": 8.0}
    metrics = counters.count(16, 4.0, [Episode(100.0, 10), Episode(300.0, 20)], {})
    assert metrics == {
        "speed/steps_per_second": 4.0,
        "episode/return": 200.0,
        "episode/length": 15.0,
        "episode/return_recent": 200.0,
    }
    assert (counters.steps, counters.updates, counters.episodes) == (32, 2, 2)
    assert counters.seconds == pytest.approx(6.0)


def test_only_recent_games_count_after_a_resume_too():
    counters = Counters()
    counters.count(1, 1.0, [Episode(0.0, 1)] * RECENT_GAMES, {})
    stored = json.loads(json.dumps(cattrs.unstructure(counters)))
    resumed = cattrs.structure(stored, Counters)
    metrics = resumed.count(1, 1.0, [Episode(50.0, 1)] * RECENT_GAMES, {})
    assert metrics["episode/return_recent"] == 50.0
    assert len(resumed.recent) == RECENT_GAMES


def test_the_recent_recall_leaves_out_updates_without_artifacts():
    counters = Counters()
    assert "artifacts/recall_recent" not in counters.count(
        1, 1.0, [], {"artifacts/ghost_rate": 0.5}
    )
    counters.count(1, 1.0, [], {"artifacts/recall": 0.5, "artifacts/ghost_rate": 0.0})
    metrics = counters.count(1, 1.0, [], {"artifacts/recall": 1.0})
    assert metrics["artifacts/recall"] == 1.0
    assert metrics["artifacts/recall_recent"] == pytest.approx(0.75)
    assert list(counters.ghost_rate) == [0.5, 0.0]
    for _ in range(RECENT_UPDATES):
        metrics = counters.count(1, 1.0, [], {"artifacts/recall": 0.25})
    assert metrics["artifacts/recall_recent"] == pytest.approx(0.25)
