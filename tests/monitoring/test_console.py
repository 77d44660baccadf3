"""The terminal tells what it should, and fits a narrow window."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from envs import Projection
from monitoring.console import (
    ProgressLine,
    describe_projection,
    describe_training,
    make_console,
    print_table,
)

METRICS = {"speed/steps_per_second": 500.0, "artifacts/recall_recent": 0.5678}
LINE = "3,000k/9,000k steps, 500/s, 200 min left, score 12,346, artifacts kept 57%"


def test_a_terminal_of_80_columns_shows_everything():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, color_system=None)
    progress = ProgressLine(console, 0, 9_000_000)
    progress.update(3_000_000, METRICS | {"episode/return_recent": 12_345.6})
    progress.stop()
    assert LINE in output.getvalue()


@pytest.mark.parametrize("width", range(22, 90, 4))
def test_a_narrow_terminal_shows_less_and_nothing_cut(width: int):
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, color_system=None)
    progress = ProgressLine(console, 0, 9_000_000)
    progress.update(3_000_000, METRICS | {"episode/return_recent": 12_345.6})
    progress.stop()
    assert "…" not in output.getvalue().replace("first games ...", "")
    shown = [part for part in LINE.split(", ") if part in output.getvalue()]
    assert shown == LINE.split(", ")[: len(shown)]
    assert len(shown) >= 1


def test_a_log_file_gets_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch):
    output, now = io.StringIO(), 0.0
    monkeypatch.setattr("monitoring.console.time.monotonic", lambda: now)
    progress = ProgressLine(Console(file=output, width=200), 0, 500_000)
    progress.update(100_000, METRICS)
    now = 31.0
    progress.update(200_000, METRICS)
    progress.update(300_000, METRICS)
    progress.stop()
    assert output.getvalue().split("\n") == [
        "200k/500k steps, 500/s, 10 min left, score -, artifacts kept 57%",
        "",
    ]


def test_a_training_that_saw_no_artifact_says_nothing_of_them():
    fidelity = {"artifact_recall": None, "artifact_ghost_rate": 0.02}
    path = Path("a.safetensors")
    assert describe_training(4096, 1.25, path, fidelity) == (
        "trained 4,096 steps in 1.2 minutes: a.safetensors"
    )
    fidelity = {"artifact_recall": 0.976, "artifact_ghost_rate": 0.02}
    assert describe_training(4096, 1.25, path, fidelity).endswith(
        "\nthe reconstruction keeps 97.6% of the artifacts "
        "and has one in 2.0% of the frames without any"
    )
    fidelity = {"artifact_recall": 1.0, "artifact_ghost_rate": None}  # an artifact in every frame
    assert describe_training(4096, 1.25, path, fidelity).endswith("keeps 100.0% of the artifacts")


def test_the_calibration_is_a_warning_if_it_found_nothing():
    found = Projection(((1, 2, 3),), ((74, 74, 74), (9, 9, 9)))
    assert describe_projection(found).endswith(": (74, 74, 74), (9, 9, 9)")
    assert describe_projection(Projection(((1, 2, 3),), ())).startswith("warning: ")


def test_what_is_printed_comes_out_as_it_is(capsys):
    # rich would make an emoji of :b:, colours of [red] and a line break after 80 columns.
    text = "runs/lr:100:b/[red]x[/red]:smile: 12 'a b' " + "long " * 40
    make_console().print(text)
    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_table_is_printed_whole_on_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # taken for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    cells = [f"{n},123,456 to {n},999,999" for n in range(8)]
    table = Table("a long name of a row", *(f"runs/:b:/{n}" for n in range(8)))
    table.add_row("mean", *cells)
    assert make_console().width == int(columns)
    print_table(table)
    printed = capsys.readouterr().out
    for part in (*cells, *(f"runs/:b:/{n}" for n in range(8)), "a long name of a row"):
        assert part in printed
