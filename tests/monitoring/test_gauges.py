"""Metrics of gauges by arithmetic."""

import pytest
import torch

from agent.rollout import Rollout
from monitoring.gauges import gauge_metrics

NAMES = ("health", "opponent", "stage_1", "stage_2", "stage_3", "clock")


def rollout_of(*games: list[list[float]]) -> Rollout:
    """A rollout with these gauges, step by step, of each game."""
    rollout = Rollout(len(games[0]), len(games), (4, 8, 8), torch.device("cpu"), len(games[0][0]))
    rollout.gauges[:] = torch.tensor(games).transpose(0, 1)
    return rollout


def test_means_the_highest_stage_and_what_a_thousand_steps_change():
    game = [[1, 1, 1, 0, 0, 1], [0.5, 1, 0, 1, 0, 0.5]]
    rollout = rollout_of(game, [game[0]] * 2)
    rollout.changes[0, 0] = torch.tensor([0.5, 0.25, 0.125])
    found = gauge_metrics(rollout, NAMES)
    assert found["gauges/health"] == pytest.approx(0.875)
    assert (found["gauges/stage_1"], found["gauges/stage_2"]) == (0.75, 0.25)
    assert found["gauges/highest_stage"] == 2
    assert found["changes/damage"] == pytest.approx(125)
    assert found["changes/opponent"] == pytest.approx(62.5)
    assert found["changes/way"] == pytest.approx(31.25)


def test_lives_end_by_enemies_or_by_the_clock_but_not_behind_a_beaten_boss():
    alive, dead = [0.5, 1, 1, 0, 0, 0.5], [0.0, 1, 1, 0, 0, 0.5]
    late, beaten = [0.0, 1, 1, 0, 0, 0.0], [0.0, 0, 1, 0, 0, 0.5]
    rollout = rollout_of(
        [alive, dead, dead, alive], [alive, late, late, alive], [alive, beaten] * 2
    )
    found = gauge_metrics(rollout, NAMES)
    assert found["deaths/enemies"] == found["deaths/time"] == pytest.approx(1000 / 12)


def test_a_game_that_shows_less_tells_less():
    assert gauge_metrics(rollout_of([[], []]), ()) == {}
    found = gauge_metrics(rollout_of([[0.5], [0.0]]), ("health",))
    assert (found["deaths/enemies"], found["deaths/time"]) == (500, 0)
    assert "gauges/highest_stage" not in found
    assert not any(
        tag.startswith("deaths/") for tag in gauge_metrics(rollout_of([[1.0]]), ("way",))
    )
