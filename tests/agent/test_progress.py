"""The progress line tells what it should and fits a narrow terminal."""

import io

import pytest
from rich.console import Console

from agent.progress import ProgressLine

METRICS = {"speed/steps_per_second": 500.0, "artifacts/recall_recent": 0.5678}
LINE = "3,000k/9,000k steps, 500/s, 200 min left, score 12,346, artifacts kept 57%"


def test_a_terminal_of_80_columns_shows_everything():
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, color_system=None)
    progress = ProgressLine(console, 0, 9_000_000)
    progress.update(3_000_000, METRICS | {"episode/return_recent": 12_345.6})
    progress.stop()
    assert LINE in output.getvalue()


def test_a_log_file_gets_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch):
    output, now = io.StringIO(), 0.0
    monkeypatch.setattr("agent.progress.time.monotonic", lambda: now)
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
