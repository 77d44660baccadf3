"""Statistics of games, by hand and against the normal approximation."""

import numpy as np
import pytest

from evaluation.statistics import difference, explain, interval, summarize

FACTS = [
    {"floor": 1, "damage": {"knife": 7, "henchman": 1}},
    {"floor": 2, "damage": {"knife": 14}},
]


def test_statistics_by_hand():
    summary = summarize([0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 100_000.0])
    assert summary["mean"] == pytest.approx(102_100 / 8)
    assert summary["median"] == 350.0
    assert summary["iqm"] == pytest.approx((200 + 300 + 400 + 500) / 4)
    assert summary["ci95"][0] < summary["mean"] < summary["ci95"][1]


def test_the_interval_is_that_of_the_mean():
    # 200 normal scores: the bootstrap must agree with mean +- 1.96 standard errors.
    scores = np.random.default_rng(0).normal(1000, 300, 200)
    low, high = summarize(list(scores))["ci95"]
    error = 1.96 * scores.std() / 200**0.5
    assert low == pytest.approx(scores.mean() - error, rel=0.01)
    assert high == pytest.approx(scores.mean() + error, rel=0.01)


def test_the_interval_of_a_difference_is_that_of_two_independent_samples():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1000, 300, 200), rng.normal(1500, 200, 150)
    mean, low, high = difference(list(second), list(first))
    error = 1.96 * (first.var() / 200 + second.var() / 150) ** 0.5
    assert mean == pytest.approx(second.mean() - first.mean())
    assert low == pytest.approx(mean - error, abs=5)
    assert high == pytest.approx(mean + error, abs=5)


def test_facts_are_means_over_games_and_what_a_game_lacks_is_zero():
    found = explain(FACTS)
    assert list(found) == ["floor", "damage.knife", "damage.henchman"]
    assert (found["floor"]["mean"], found["floor"]["highest"]) == (1.5, 2.0)
    assert found["damage.knife"]["mean"] == pytest.approx(10.5)
    assert found["damage.henchman"]["mean"] == pytest.approx(0.5)
    assert found["damage.henchman"]["ci95"] == [0.0, 1.0]


def test_equal_values_and_a_single_one_have_no_width():
    assert interval([5.0]) == interval([5.0, 5.0, 5.0]) == [5.0, 5.0]


def test_a_single_game_has_no_interval_of_a_difference():
    assert difference([7.0], [2.0, 4.0]) == [4.0, 4.0, 4.0]
    assert difference([2.0, 4.0], [7.0]) == [-4.0, -4.0, -4.0]


def test_the_same_scores_give_the_same_intervals():
    rng = np.random.default_rng(0)
    scores, others = list(rng.normal(1000, 300, 30)), list(rng.normal(1000, 300, 20))
    assert interval(scores) == interval(scores)
    assert difference(scores, others) == difference(scores, others)
