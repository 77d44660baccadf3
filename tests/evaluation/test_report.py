"""What an evaluation says: tables that hold its figures."""

import json
from collections import deque

import pytest
from rich.console import Console

from envs import GAME
from evaluation.games import PlayedGame
from evaluation.report import Report, markdown, report, table, table_rows
from experiment.run_statistics import RunStatistics

STATISTICS = RunStatistics(steps=12_000, seconds=3.0, recall=deque([0.5, 1.0]))
FACTS = [
    {"floor": 1, "damage": {"knife": 7, "henchman": 1}},
    {"floor": 2, "damage": {"knife": 14}},
]


def report_on(games: list[PlayedGame], name: str) -> Report:
    return report(games, GAME, name, "digest", seed=9, seconds=1.5, statistics=STATISTICS)


def make_report(name: str, scores: list[float]) -> Report:
    games = [PlayedGame(score, 5, FACTS[n % 2]) for n, score in enumerate(scores)]
    return report_on(games, name)


def test_a_report_has_the_documented_keys_and_survives_json():
    result = make_report("a", [100.0, 300.0])
    assert result.keys() == {
        "name", "checkpoint", "episodes", "seed", "seconds", "steps", "train_seconds",
        "artifact_recall", "artifact_ghost_rate", "scores", "lengths", "facts", "explained",
        "mean", "median", "iqm", "ci95", "human_normalized",
    }  # fmt: skip
    assert (result["episodes"], result["seed"], result["steps"]) == (2, 9, 12_000)
    assert result["checkpoint"] == "digest"
    assert (result["artifact_recall"], result["artifact_ghost_rate"]) == (0.75, None)
    assert (result["scores"], result["lengths"]) == ([100.0, 300.0], [5, 5])
    assert json.loads(json.dumps(result)) == result


def test_random_play_is_zero_and_a_human_is_one():
    for score, normalized in ((258.5, 0.0), (22_736.3, 1.0)):
        assert make_report("a", [score])["human_normalized"] == pytest.approx(normalized)


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
    games = [PlayedGame(100.0, 5, fact) for fact in facts]
    rows = table_rows([report_on(games, "a")])
    names = [name for name, _ in rows]
    at = names.index("damage, in a game")
    assert names[at:] == ["damage, in a game", "knife", "henchman", "highest floor, in a game"]


def test_several_reports_are_compared_with_the_first():
    reports = [make_report("a", [100.0, 100.0]), make_report("b", [400.0, 400.0])]
    rows = dict(table_rows(reports))
    assert rows["mean score"] == ["100", "400"]
    assert rows["mean against the first (95 % interval)"] == ["", "+300 (+300 to +300)"]


def test_a_single_game_has_no_intervals():
    reports = [make_report("a", [100.0, 300.0]), make_report("b", [400.0])]
    rows = dict(table_rows(reports))
    assert rows["95 % interval of the mean score"] == ["100 to 300", "-"]
    assert rows["mean against the first (95 % interval)"] == ["", "+200"]
    assert rows["knife"] == ["10.5 (7.0 to 14.0)", "7.0"]


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
