"""The breakdown begins no training by mistake."""

from pathlib import Path

import pytest

from benchmarks import breakdown
from experiment.command_line import exit_code


@pytest.mark.parametrize("arguments", [[], ["--run-dir", "x"]])
def test_without_a_file_for_the_result_nothing_is_trained(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["breakdown", *arguments])
    monkeypatch.setattr(breakdown.runpy, "run_path", lambda *_, **__: pytest.fail("it trains"))
    assert exit_code(breakdown.main) == 2
    assert "the first argument must be a file for the result" in capsys.readouterr().err


def test_a_result_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["breakdown", str(tmp_path)])
    monkeypatch.setattr(breakdown.runpy, "run_path", lambda *_, **__: pytest.fail("it trains"))
    assert exit_code(breakdown.main) == 2
    assert "json must be a file that can be written" in capsys.readouterr().err


def test_help_says_how_it_is_used(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["breakdown", "--help"])
    assert exit_code(breakdown.main) == 0
    assert capsys.readouterr().out.startswith("usage: python -m benchmarks.breakdown RESULT.json")
