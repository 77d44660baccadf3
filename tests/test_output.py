"""What is printed is a convenience: commands whose reader, terminal, disk or encoding fails them.

``make test-long`` closes readers at random moments and tries many encodings.
"""

import fcntl
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluate
import export
import train
from envs import Projection
from experiment import training_state
from experiment.run_directory import RunDirectory
from tests.test_survival import ENDLESS, FLAGS, PREPARE, RUN, end, start, steps, wait_for

ROOT = Path(__file__).parents[1]
SHORT = ["--env.max-episode-frames", "400"]
NAME = "my 'run' :b: $x [red] ü"
"""A directory that has to be quoted, and must not be taken for markup."""
ENCODINGS = ["ascii", "latin-1", "cp437", "utf-16", "utf-8:strict", "ascii:strict"]


def command(script: str, *flags: str, **options: Any) -> subprocess.Popen[bytes]:
    """A command as a user starts it."""
    words = [sys.executable, str(ROOT / script), *flags]
    return subprocess.Popen(words, **{"stdout": subprocess.PIPE, **options})


def close_after(process: subprocess.Popen[Any], lines: int) -> None:
    """Read so many lines and go away, as ``head`` does."""
    assert process.stdout
    for _ in range(lines):
        assert process.stdout.readline()
    process.stdout.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A short run with an odd name, and every line that its training printed."""
    home = tmp_path_factory.mktemp("output")
    flags = ["--run-dir", NAME, "--total-steps", "64", "--evaluation-games", "1", *SHORT, *FLAGS]
    script = f"{PREPARE}\n{RUN}"
    done = subprocess.run(
        [sys.executable, "-c", script, *flags],
        cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home / NAME, done.stdout.splitlines()


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    monkeypatch.setattr(training_state, "calibrate", lambda *_: projection)


@pytest.mark.parametrize("lines", [1, pytest.param(0, marks=pytest.mark.long)])
def test_a_training_whose_reader_goes_away_goes_on_and_saves(tmp_path: Path, lines: int):
    process = start(tmp_path, *FLAGS, "--total-steps", "64", "--evaluation-games", "1", *SHORT)
    close_after(process, lines)
    assert process.wait(120) == 0
    assert steps(tmp_path) == 64
    assert json.loads((tmp_path / "evaluation.json").read_text())["steps"] == 64


def test_an_evaluation_whose_reader_goes_away_writes_its_results(
    trained: tuple[Path, list[str]], tmp_path: Path
):
    output, page, video = (tmp_path / name for name in ("e.json", "e.md", "e.mp4"))
    flags = ["--checkpoint", str(trained[0]), "--episodes", "1", "--json", str(output)]
    flags += ["--markdown", str(page), "--video", str(video)]
    process = command("evaluate.py", *flags, stderr=subprocess.STDOUT)
    close_after(process, 1)
    assert process.wait(120) == 0
    assert json.loads(output.read_text())[0]["episodes"] == 1
    assert page.read_text().startswith("# Evaluation")
    assert video.stat().st_size > 1000


def test_an_export_into_a_full_log_writes_its_results(
    trained: tuple[Path, list[str]], tmp_path: Path
):
    flags = ["--checkpoint", str(trained[0]), "--hub", str(tmp_path / "hub")]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert command("export.py", *flags, stdout=full, stderr=full).wait(120) == 0
    assert (tmp_path / "hub" / "model.safetensors").exists()


def test_a_terminal_that_is_closed_ends_a_training_as_sigterm_does(tmp_path: Path):
    master, slave = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    flags = ["--run-dir", str(tmp_path), *FLAGS, *ENDLESS, "--checkpoint-interval", "1000000"]
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PREPARE}\n{RUN}", *flags],
        stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while b"steps" not in shown:  # the progress line
        shown += os.read(master, 1000)
    os.close(master)
    assert process.wait(60) == 129
    assert steps(tmp_path) > 0


@pytest.mark.long
def test_a_training_under_nohup_outlives_its_terminal(tmp_path: Path):
    patch = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = start(tmp_path, *FLAGS, *ENDLESS, patch=patch)
    wait_for(tmp_path, 32)
    process.send_signal(signal.SIGHUP)
    wait_for(tmp_path, steps(tmp_path) + 64)
    process.send_signal(signal.SIGTERM)
    assert end(process)[0] == 143


def test_an_encoding_that_lacks_characters_ends_nothing(trained: tuple[Path, list[str]]):
    try_encoding(trained[0], ENCODINGS[0])


@pytest.mark.long
def test_no_encoding_ends_an_evaluation(trained: tuple[Path, list[str]]):
    for encoding in ENCODINGS[1:]:
        try_encoding(trained[0], encoding)


def try_encoding(run_dir: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    flags = ["--checkpoint", str(run_dir), "--episodes", "1"]
    process = command("evaluate.py", *flags, stderr=subprocess.PIPE, env=environment)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    shown = out.decode(encoding.partition(":")[0])
    assert "mean score" in shown
    assert str(run_dir)[:-1] in shown  # all but its last letter, which is no ASCII


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_a_reader_may_go_away_at_any_moment(tmp_path: Path, seed: int):
    chance = random.Random(seed)
    flags = ["--total-steps", "512", "--evaluation-games", "1", *SHORT]
    process = start(tmp_path, *FLAGS, *flags)
    assert process.stdout
    time.sleep(chance.uniform(0, 6))
    process.stdout.close()
    assert process.wait(120) == 0
    assert steps(tmp_path) == 512
    assert (tmp_path / "evaluation.json").exists()


def printed_commands(lines: list[str]) -> dict[str, str]:
    """What comes after "to do something: "."""
    found = (re.match(r"(to [\w ]+): (.+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_every_printed_command_goes_on_from_another_directory(
    trained: tuple[Path, list[str]], tmp_path: Path
):
    run_dir, lines = trained
    shutil.copytree(run_dir, tmp_path / NAME)
    printed = printed_commands(lines)
    assert printed.keys() == {"to train longer", "to watch it play"}
    log = EventAccumulator(str(run_dir / "tensorboard"), {"tensors": 0}).Reload()
    text = log.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    (shown,) = re.findall(r"^    (.+)$", text, re.M)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # The copy takes the place of the run, which other tests need as it is.
    there, here = str(run_dir.parent), str(tmp_path)

    def works(line: str) -> str:
        done = subprocess.run(line, shell=True, cwd=elsewhere, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert printed["to train longer"] == f"{shown} --total-steps 128"
    longer = printed["to train longer"].replace(there, here)
    longer = longer.replace("--total-steps 128", "--total-steps 80")
    assert "trained 80 steps" in works(longer)
    works(printed["to watch it play"].replace(there, here) + " --episodes 1")
    assert [path.name for path in elsewhere.iterdir()] == ["game.mp4"]
    assert steps(tmp_path / NAME) == 80


def test_names_are_printed_as_they_are(trained: tuple[Path, list[str]]):
    _, lines = trained
    latest = RunDirectory(Path(NAME)).checkpoints / "steps_000000000064.safetensors"
    assert any(line.endswith(f" minutes: {latest}") for line in lines)
    assert any(line.startswith("┃") and NAME in line for line in lines)  # of the table


BAD = os.fsdecode(b"run\xff")
"""A name that no text can hold."""


@pytest.mark.parametrize(
    ("main", "flags"),
    [
        (train.main, ["--run-dir", BAD]),
        (train.main, ["--run-dir", f"{BAD}/below", "--resume"]),
        (evaluate.main, ["--checkpoint", BAD]),
        (evaluate.main, ["--checkpoint", "run", "--json", f"{BAD}/e.json"]),
        (evaluate.main, ["--checkpoint", "run", "--markdown", f"{BAD}.md"]),
        (evaluate.main, ["--checkpoint", "run", "--video", f"{BAD}.mp4"]),
        (export.main, ["--checkpoint", BAD, "--onnx", "a.onnx"]),
        (export.main, ["--checkpoint", "run", "--onnx", f"{BAD}.onnx"]),
        (export.main, ["--checkpoint", "run", "--hub", BAD]),
    ],
    ids=[f"{index}" for index in range(9)],
)
@pytest.mark.usefixtures("calibrated")
def test_a_name_that_is_not_utf_8_is_refused(
    trained: tuple[Path, list[str]], tmp_path: Path, monkeypatch, capfd, main: Any, flags: list[str]
):
    shutil.copytree(trained[0], tmp_path / "run")
    (tmp_path / BAD).mkdir()
    shutil.copytree(trained[0], tmp_path / BAD / "below")
    monkeypatch.chdir(tmp_path)
    before = sorted(map(os.fsencode, tmp_path.rglob("*")))
    try:
        code = main(flags)
    except SystemExit as left:
        code = left.code
    assert code == 2
    printed = "".join(capfd.readouterr())
    assert "must be a path in UTF-8 without control codes" in " ".join(
        printed.replace("│", " ").split()
    )
    assert "Traceback" not in printed
    assert sorted(map(os.fsencode, tmp_path.rglob("*"))) == before


def test_a_relative_name_in_a_directory_that_is_not_utf_8_is_refused(
    tmp_path: Path, monkeypatch, capfd
):
    (tmp_path / BAD).mkdir()
    monkeypatch.chdir(tmp_path / BAD)
    assert train.main(["--run-dir", "plain"]) == 2
    assert "error: run_dir must be in UTF-8, got '/" in capfd.readouterr().err
    assert list(Path().iterdir()) == []
