"""One run, one directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import UserError
from agent.run_lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from agent.run_lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_directory_is_one_process_s_until_it_dies(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"is in use by process {other.pid}"):
            RunLock(tmp_path)
        other.kill()  # it has no chance to clean up
    lock = RunLock(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    with pytest.raises(UserError, match="in use"):
        RunLock(tmp_path)
    lock.release()
    RunLock(tmp_path).release()
