"""Judging: statistics by hand, and games that are counted fairly."""

import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.collector import Episode
from agent.evaluation import play_games, report, summarize
from encoders import EncoderConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, CountingEnv


def make_model() -> ActorCritic:
    torch.manual_seed(0)
    config = ActorCriticConfig(encoder=EncoderConfig(channels=(4, 4)))
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)


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


def test_random_play_is_zero_and_a_human_is_one():
    assert summarize([258.5])["human_normalized"] == pytest.approx(0.0)
    human = summarize([22_736.3])
    assert human["human_normalized"] == pytest.approx(1.0)
    assert human["ci95"] == [22_736.3, 22_736.3]


def test_every_game_that_begins_counts_however_long_it_is():
    # One environment's games take 2 steps, the other's 50. The first four to end are short.
    episodes = play_games([CountingEnv([2, 50])], make_model(), games=4, seed=0)
    assert [episode.length for episode in episodes] == [2, 50, 2, 2]
    # The second long game begins as the 26th or 27th.
    episodes = play_games([CountingEnv([2, 50])], make_model(), games=30, seed=0)
    assert [episode.length for episode in episodes].count(50) == 2


def test_parts_share_the_games_by_their_size():
    parts = [CountingEnv([3, 3]), CountingEnv([5])]
    episodes = play_games(parts, make_model(), games=7, seed=0)
    assert [episode.length for episode in episodes] == [3] * 5 + [5] * 2


def test_the_same_seed_gives_the_same_games_whatever_was_drawn_before():
    first = play_games([CountingEnv([20, 30])], make_model(), games=2, seed=5)
    torch.rand(7)
    again = play_games([CountingEnv([20, 30])], make_model(), games=2, seed=5)
    assert first == again
    assert first != play_games([CountingEnv([20, 30])], make_model(), games=2, seed=6)


def test_the_policy_is_sampled():
    # An untrained policy is almost uniform over the rewards 0, 1 and 2; its mode would be constant.
    (episode,) = play_games([CountingEnv([200])], make_model(), games=1, seed=0)
    assert 150 < episode.score < 250


def test_a_report_has_the_documented_keys():
    counters = {"steps": 12, "seconds": 3.0, "recall": [0.5, 1.0], "ghost_rate": []}
    result = report([Episode(100.0, 5), Episode(300.0, 7)], seed=9, seconds=1.5, counters=counters)
    assert result.keys() >= {
        "episodes", "seed", "scores", "mean", "median", "iqm", "ci95", "human_normalized", "steps",
    }  # fmt: skip
    assert (result["episodes"], result["seed"], result["steps"]) == (2, 9, 12)
    assert result["seconds"] == 1.5
    assert (result["artifact_recall"], result["artifact_ghost_rate"]) == (0.75, None)
    assert (result["scores"], result["lengths"]) == ([100.0, 300.0], [5, 7])
