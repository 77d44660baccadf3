"""Tables of evaluations: every figure whole, in any width, and what differs is said."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console
from rich.table import Table

from envs import EnvConfig
from evaluation import tables as shown_tables
from evaluation.games import PlayedGame
from evaluation.report import Report
from evaluation.tables import Row, markdown, short_names, show, table_rows, tables
from tests.evaluation.test_report import make_report, report_on

SCORES = [12_345.0, 98_765.0, 45_678.0]


def figures(rows: Sequence[Row]) -> dict[str, list[str]]:
    return {row.name: row.cells for row in rows}


def drawn(tables: Sequence[Table], width: int) -> str:
    """As a terminal of so many columns shows them."""
    output = io.StringIO()
    console = Console(file=output, width=width, soft_wrap=True, markup=False, emoji=False)
    for table in tables:
        console.print(table)
    return output.getvalue()


def test_rows_stand_under_their_heading():
    rows = table_rows([make_report("a", [100.0, 300.0])])
    names = [row.name for row in rows]
    assert [row.name for row in rows if row.heading == "damage, in a game"] == ["knife", "henchman"]
    assert figures(rows)["knife"] == ["10.5 (7.0 to 14.0)"]
    assert figures(rows)["floor, in a game"] == ["1.5 (1.0 to 2.0)"]
    assert "mean against the first (95 % interval)" not in names


def test_what_only_a_later_game_has_stands_under_the_same_heading():
    facts = [
        {"damage": {"knife": 7}, "highest_floor": 1},
        {"damage": {"henchman": 3}, "highest_floor": 2},
    ]
    rows = table_rows([report_on([PlayedGame(100.0, 5, False, fact) for fact in facts], "a")])
    assert [(row.heading, row.name) for row in rows[-3:]] == [
        ("damage, in a game", "knife"),
        ("damage, in a game", "henchman"),
        ("", "highest floor, in a game"),
    ]


def test_several_reports_are_compared_with_the_first():
    reports = [make_report("a", [100.0, 100.0]), make_report("b", [400.0, 400.0])]
    rows = figures(table_rows(reports))
    assert rows["mean score"] == ["100", "400"]
    assert rows["mean against the first (95 % interval)"] == ["", "+300 (+300 to +300)"]


def test_a_single_game_has_no_intervals():
    reports = [make_report("a", [100.0, 300.0]), make_report("b", [400.0])]
    rows = figures(table_rows(reports))
    assert rows["95 % interval of the mean score"] == ["100 to 300", "-"]
    assert rows["mean against the first (95 % interval)"] == ["", "+200"]
    assert rows["knife"] == ["10.5 (7.0 to 14.0)", "7.0"]


def test_every_table_names_the_protocol_and_the_games_that_it_cut():
    rows = figures(table_rows([make_report("a", [1.0] * 7), make_report("b", [1.0])]))
    assert rows["cut by the frame limit"] == ["2", "0"]
    assert rows["sticky actions"] == ["0.25", "0.25"]
    assert rows["frameskip"] == ["4", "4"]
    assert rows["frame limit"] == ["108,000", "108,000"]
    assert not any("warning" in name for name in rows)


def test_runs_under_different_protocols_are_not_compared_without_a_warning():
    exact = EnvConfig(repeat_action_probability=0.0, max_episode_frames=400)
    reports = [make_report("a", [1.0]), make_report("b", [2.0], exact), make_report("c", [3.0])]
    rows = figures(table_rows(reports))
    assert rows["warning: another protocol than the first"] == [
        "", "sticky actions, frame limit", "",
    ]  # fmt: skip
    assert rows["sticky actions"] == ["0.25", "0.0", "0.25"]
    assert rows["frame limit"] == ["108,000", "400", "108,000"]
    assert "warning: another protocol than the first" in markdown(reports)


def test_names_lose_what_all_of_them_share():
    files = [f"runs/x/checkpoints/steps_{steps:012}.safetensors" for steps in (50_000, 100_000)]
    assert short_names(files) == ["steps_000000050000", "steps_000000100000"]
    bests = ["runs/a/checkpoints/best.safetensors", "/runs/b/checkpoints/best.safetensors"]
    assert short_names(bests) == ["runs/a", "/runs/b"]
    assert short_names([bests[0], "runs/c/checkpoints/best.safetensors"]) == ["a", "c"]
    assert short_names(["runs/x", "runs/x/checkpoints/best.safetensors"]) == [
        "x", "x/checkpoints/best",
    ]  # fmt: skip
    for kept in (["runs/a"], ["runs/a", "runs/a"], ["a", "a.safetensors"]):
        assert short_names(kept) == kept


@pytest.mark.parametrize("count", [1, 2, 4, 12])
@pytest.mark.parametrize("width", [40, 80, 200, 100_000])
def test_no_width_and_no_number_of_reports_cuts_a_figure(
    count: int, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    names = [f"runs/x/checkpoints/steps_{n:012}.safetensors" for n in range(count)]
    reports = [make_report(name, [score + n for score in SCORES]) for n, name in enumerate(names)]
    found = tables(reports, width)
    rows_instead = {(2, 40), (4, 40), (4, 80), (12, 40), (12, 80), (12, 200)}
    assert (len(found) > 1) == ((count, width) in rows_instead)
    # As it is really printed, by a terminal that is as narrow.
    monkeypatch.setattr(shown_tables, "make_console", lambda: Console(width=width))
    show(reports)
    printed = capsys.readouterr().out
    assert "…" not in printed
    for row in table_rows(reports):
        for cell in row.cells:
            assert cell in printed  # in one line
    for name in short_names(names):
        assert name in printed


def test_every_figure_of_a_row_belongs_to_the_report_that_the_row_names():
    reports = [make_report(f"runs/{n}/x", [1000.0 * (n + 1)]) for n in range(6)]
    text = drawn(tables(reports, 80), 80)
    for n in range(6):
        lines = [line for line in text.splitlines() if line.startswith(f"│ {n} ")]
        assert any(f"│ {1000 * (n + 1):,} " in line for line in lines)


def test_terminal_and_markdown_say_the_same():
    reports = [make_report("runs/a|b", [100.0, 300.0]), make_report("c", [50.0, 60.0])]
    shown, page = drawn(tables(reports, 200), 200), markdown(reports)
    for heading, name, cells in ((row.heading, row.name, row.cells) for row in table_rows(reports)):
        for part in (heading, name, *cells):
            assert part in shown
            assert part in page
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {4}
    assert "- c: 50, 60" in page


def test_names_are_shown_as_they_are():
    reports: list[Report] = [make_report("runs/[b]:b:", [1.0]), make_report("runs/lr:100:x", [1.0])]
    text = drawn(tables(reports, 200), 200)
    assert "[b]:b:" in text
    assert "lr:100:x" in text
