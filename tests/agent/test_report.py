"""What an evaluation says: statistics by hand, and tables that hold them."""

import json

import numpy as np
import pytest
from rich.console import Console

from agent.evaluation import Game
from agent.report import difference, explain, markdown, report, summarize, table, table_rows

COUNTERS = {"steps": 12_000, "seconds": 3.0, "recall": [0.5, 1.0], "ghost_rate": []}
FACTS = [
    {"floor": 1, "damage": {"knife": 7, "henchman": 1}},
    {"floor": 2, "damage": {"knife": 14}},
]


def make_report(name: str, scores: list[float]):
    games = [Game(score, 5, FACTS[n % 2]) for n, score in enumerate(scores)]
    return report(games, name, seed=9, seconds=1.5, counters=COUNTERS)


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


def test_a_report_has_the_documented_keys_and_survives_json():
    result = make_report("a", [100.0, 300.0])
    assert result.keys() == {
        "name", "episodes", "seed", "seconds", "steps", "train_seconds", "artifact_recall",
        "artifact_ghost_rate", "scores", "lengths", "facts", "explained", "mean", "median", "iqm",
        "ci95", "human_normalized",
    }  # fmt: skip
    assert (result["episodes"], result["seed"], result["steps"]) == (2, 9, 12_000)
    assert (result["artifact_recall"], result["artifact_ghost_rate"]) == (0.75, None)
    assert (result["scores"], result["lengths"]) == ([100.0, 300.0], [5, 5])
    assert json.loads(json.dumps(result)) == result


def test_rows_stand_under_their_heading():
    rows = table_rows([make_report("a", [100.0, 300.0])])
    names = [name for name, _ in rows]
    at = names.index("damage, in a game")
    assert names[at : at + 3] == ["damage, in a game", "knife", "henchman"]
    assert dict(rows)["knife"] == ["10.5 (7.0 to 14.0)"]
    assert dict(rows)["highest floor, in a game"] == ["1.5 (1.0 to 2.0)"]
    assert "mean against the first (95 % interval)" not in names


def test_what_only_a_later_game_has_stands_under_the_same_heading():
    facts = [{"damage": {"knife": 7}, "floor": 1}, {"damage": {"henchman": 3}, "floor": 2}]
    games = [Game(100.0, 5, fact) for fact in facts]
    rows = table_rows([report(games, "a", seed=9, seconds=1.5, counters=COUNTERS)])
    names = [name for name, _ in rows]
    at = names.index("damage, in a game")
    assert names[at:] == ["damage, in a game", "knife", "henchman", "highest floor, in a game"]


def test_several_reports_are_compared_with_the_first():
    reports = [make_report("a", [100.0, 100.0]), make_report("b", [400.0, 400.0])]
    rows = dict(table_rows(reports))
    assert rows["mean score"] == ["100", "400"]
    assert rows["mean against the first (95 % interval)"] == ["", "+300 (+300 to +300)"]


def test_terminal_and_markdown_say_the_same():
    reports = [make_report("runs/a|b", [100.0, 300.0]), make_report("c", [50.0, 60.0])]
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table(reports))
    shown, page = console.export_text(), markdown(reports)
    console.file.close()
    for name, cells in table_rows(reports):
        assert name in shown
        assert name in page
        for cell in cells:
            assert cell in shown
            assert cell in page
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {4}
    assert "- c: 50, 60" in page
