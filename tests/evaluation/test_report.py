"""What an evaluation says, as JSON."""

import json
from collections import deque

import pytest

from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import Report, report
from experiment.run_statistics import RunStatistics

STATISTICS = RunStatistics(steps=12_000, seconds=3.0, recall=deque([0.5, 1.0]))
FACTS = [
    {"floor": 1, "damage": {"knife": 7, "henchman": 1}},
    {"floor": 2, "damage": {"knife": 14}},
]


def report_on(games: list[PlayedGame], name: str, protocol: EnvConfig | None = None) -> Report:
    return report(
        games, GAME, protocol or EnvConfig(), name, "digest", seed=9, seconds=1.5,
        statistics=STATISTICS,
    )  # fmt: skip


def make_report(name: str, scores: list[float], protocol: EnvConfig | None = None) -> Report:
    """Of games of which every third was cut."""
    games = [PlayedGame(score, 5, n % 3 == 2, FACTS[n % 2]) for n, score in enumerate(scores)]
    return report_on(games, name, protocol)


def test_a_report_has_the_documented_keys_and_survives_json():
    result = make_report("a", [100.0, 300.0])
    assert result.keys() == {
        "name", "checkpoint", "protocol", "episodes", "truncated", "seed", "seconds",
        "steps", "train_seconds",
        "artifact_recall", "artifact_ghost_rate", "scores", "lengths", "facts", "explained",
        "mean", "median", "iqm", "ci95", "human_normalized",
    }  # fmt: skip
    assert (result["episodes"], result["seed"], result["steps"]) == (2, 9, 12_000)
    assert result["checkpoint"] == "digest"
    assert (result["artifact_recall"], result["artifact_ghost_rate"]) == (0.75, None)
    assert (result["scores"], result["lengths"]) == ([100.0, 300.0], [5, 5])
    assert json.loads(json.dumps(result)) == result


def test_a_report_says_under_which_protocol_and_how_many_games_it_cut():
    protocol = EnvConfig(repeat_action_probability=0.0, frameskip=2, max_episode_frames=500)
    result = make_report("a", [100.0] * 7, protocol)
    assert result["protocol"] == {
        "game": "kung_fu_master", "play_area": None,
        "repeat_action_probability": 0.0, "frameskip": 2, "max_episode_frames": 500,
    }  # fmt: skip
    assert result["truncated"] == 2


def test_random_play_is_zero_and_a_human_is_one():
    for score, normalized in ((258.5, 0.0), (22_736.3, 1.0)):
        assert make_report("a", [score])["human_normalized"] == pytest.approx(normalized)
