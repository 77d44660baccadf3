"""Mistakes end a benchmark with one line, before the long work."""

from pathlib import Path

import pytest

from agent.errors import UserError
from benchmarks.command import check_output, provenance, run


def test_a_users_mistake_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]):
    def mistaken() -> None:
        raise UserError("seeds must be one or more numbers from 0, got ()")

    with pytest.raises(SystemExit, match="2"):
        run(mistaken)
    assert capsys.readouterr().err == "error: seeds must be one or more numbers from 0, got ()\n"
    with pytest.raises(SystemExit, match="0"):
        run(lambda: None)


def test_the_result_must_be_writable_and_is_not_touched(tmp_path: Path):
    path = tmp_path / "results" / "detector.json"
    check_output(path)
    assert not path.exists()
    path.write_text("old")
    check_output(path)
    assert path.read_text() == "old"
    for impossible in (tmp_path, path / "below.json"):
        with pytest.raises(UserError, match="json must be a file that can be written, got"):
            check_output(impossible)


def test_a_result_says_what_made_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["x", "--json", "F"])
    made = provenance("detector")
    assert made["command"] == "python -m benchmarks.detector --json F"
    assert len(made["commit"].removesuffix("-dirty")) == 40
    assert "cores" in made["machine"]
