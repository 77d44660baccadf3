"""Printing never fails: closed pipes, dead terminals, full disks, odd encodings, for real.

The commands themselves are tried in ``tests/test_output.py``.
"""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiment.streams import lenient_streams

WORK = """
import sys
from pathlib import Path
from experiment.command_line import exit_code
from monitoring.console import make_console
def command():
    console = make_console()
    for number in range(3):
        print("plain", number, "\\u2501 \\udcff")
        print("error", number, "\\u2501 \\udcff", file=sys.stderr)
        console.print("rich", number, "\\u2501 \\udcff")
        sys.stdout.flush()
    Path(sys.argv[1]).write_text("done")
    return 7
sys.exit(exit_code(command))
"""


def run(result: Path, **streams: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WORK, str(result)], **streams)  # type: ignore[call-overload]


def check(process: subprocess.Popen[bytes], result: Path) -> None:
    assert process.wait(60) == 7
    assert result.read_text() == "done"


@pytest.mark.parametrize("streams", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_a_closed_pipe_ends_nothing(tmp_path: Path, streams: Sequence[str]):
    reader, writer = os.pipe()
    os.close(reader)
    quiet = dict.fromkeys({"stdout", "stderr"}, subprocess.DEVNULL)
    process = run(tmp_path / "result", **{**quiet, **dict.fromkeys(streams, writer)})
    os.close(writer)
    check(process, tmp_path / "result")


def test_a_full_disk_behind_a_log_ends_nothing(tmp_path: Path):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        check(run(tmp_path / "result", stdout=full, stderr=full), tmp_path / "result")


def test_a_dead_terminal_ends_nothing(tmp_path: Path):
    master, slave = pty.openpty()
    os.close(master)  # from now on every write is an input/output error
    check(run(tmp_path / "result", stdout=slave, stderr=slave), tmp_path / "result")
    os.close(slave)


def test_streams_that_are_closed_from_the_start_end_nothing(tmp_path: Path):
    def close() -> None:
        os.close(1)
        os.close(2)

    check(run(tmp_path / "result", preexec_fn=close), tmp_path / "result")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8", "utf-16"])
def test_what_an_encoding_lacks_is_written_as_its_escape(tmp_path: Path, encoding: str):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    process = run(
        tmp_path / "result", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    out, err = process.communicate(timeout=60)
    check(process, tmp_path / "result")
    shown = "\u2501".encode(encoding, "backslashreplace").decode(encoding)
    assert out.decode(encoding).count(f"plain 0 {shown} \\udcff") == 1
    assert out.decode(encoding).count(f"rich 2 {shown} \\udcff") == 1
    assert err.decode(encoding).count(f"error 1 {shown} \\udcff") == 1
    assert b"Traceback" not in err


def test_a_log_goes_on_once_there_is_space(tmp_path: Path):
    # The first write finds the disk full: a file may have no more than ten bytes for a while.
    script = """
import resource, sys
from experiment.streams import lenient_streams
with lenient_streams():
    print("before", flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, -1))
    print("lost, for want of space", flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    print("after", flush=True)
"""
    log = tmp_path / "log"
    with log.open("w") as file:
        subprocess.run([sys.executable, "-c", script], stdout=file, check=True, timeout=60)
    lines = log.read_text().split("\n")
    assert lines[0] == "before"
    assert lines[-2].endswith("after")
    assert "want of space" not in log.read_text()


def test_streams_are_given_back_and_those_of_others_are_left_alone(capsys):
    before = sys.stdout, sys.stderr
    with lenient_streams():
        assert (sys.stdout, sys.stderr) == before  # pytest's
        print("seen")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == "seen\n"
