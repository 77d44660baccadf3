"""What ``evaluate.py`` does with its results; ``tests/test_train.py`` lets it play."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import evaluate
from envs import GAME, EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from evaluation.tables import markdown
from experiment.run_statistics import RunStatistics

REPORT = report(
    [PlayedGame(700.0, 90, False, {}), PlayedGame(1_300.0, 110, False, {})],
    GAME, EnvConfig(), "run", "digest", seed=9, seconds=1.5, statistics=RunStatistics(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint can be loaded and has played the games of ``REPORT``."""
    agent = SimpleNamespace(checkpoint=SimpleNamespace(unusable=()))
    monkeypatch.setattr(evaluate, "load_agent", lambda _: agent)
    monkeypatch.setattr(evaluate, "play", lambda *_: REPORT)


def test_files_are_written_before_the_table_is_printed(tmp_path: Path, monkeypatch):
    # Whoever reads the terminal may be gone by then.
    output, page = tmp_path / "result.json", tmp_path / "result.md"

    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(evaluate, "show", gone)
    with pytest.raises(BrokenPipeError):
        evaluate.main(["--checkpoint", "run", "--json", str(output), "--markdown", str(page)])
    assert json.loads(output.read_text()) == [REPORT]
    assert page.read_text() == markdown([REPORT])


@pytest.mark.parametrize("flag", ["--json", "--markdown"])
def test_the_table_is_printed_even_if_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch, capsys, flag: str
):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    output = tmp_path / "result"
    assert evaluate.main(["--checkpoint", "run", flag, str(output)]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"error: {output} cannot be written: No space left on device\n"
    assert "1,000" in printed.out  # the mean score
    assert list(tmp_path.iterdir()) == []
