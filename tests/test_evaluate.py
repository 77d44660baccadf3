"""What ``evaluate.py`` does with its results; ``tests/test_train.py`` lets it play."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import evaluate
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig
from evaluation.games import PlayedGame
from evaluation.report import report
from evaluation.tables import markdown
from experiment.config import TrainConfig
from experiment.files import SaveError
from experiment.run_statistics import RunStatistics

REPORT = report(
    [PlayedGame(700.0, 90, False, {}), PlayedGame(1_300.0, 110, False, {})],
    GAME, EnvConfig(), "run", "digest", seed=9, seconds=1.5, statistics=RunStatistics(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint can be loaded and has played the games of ``REPORT``."""
    checkpoint = SimpleNamespace(unusable=(), path="run")
    agent = SimpleNamespace(checkpoint=checkpoint, config=TrainConfig())
    monkeypatch.setattr(evaluate, "load_agent", lambda _: agent)
    monkeypatch.setattr(evaluate, "open_games", lambda *_: ([], None))
    monkeypatch.setattr(evaluate, "evaluate_agent", lambda *_: REPORT)


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


def test_a_result_that_cannot_be_written_keeps_no_other_from_it(tmp_path: Path, monkeypatch):
    def not_there(path: Path, *_: object, **__: object) -> None:
        raise SaveError(f"{path} cannot be written: full")

    monkeypatch.setattr(evaluate, "write_json", not_there)
    page = tmp_path / "result.md"
    flags = ["--json", str(tmp_path / "result.json"), "--markdown", str(page)]
    assert evaluate.main(["--checkpoint", "run", *flags]) == 1
    assert page.read_text() == markdown([REPORT])


def test_two_results_in_one_file_are_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = ["--checkpoint", "run", "--json", "a.mp4", "--video", f"{tmp_path}/a.mp4"]
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(flags)
    assert "must be different files" in " ".join(capsys.readouterr().err.split())
