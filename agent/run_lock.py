"""One run, one directory."""

import fcntl
import os
from pathlib import Path

from agent.errors import UserError


class RunLock:
    """Keeps a run directory to one process; a process that dies, however it does, releases it."""

    def __init__(self, run_dir: Path) -> None:
        """Take the lock of an existing directory.

        Raises:
            UserError: If another process has it; names that process.
            OSError: If the lock file cannot be written.
        """
        self._file = (run_dir / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            owner = self._file.read().strip()
            self._file.close()
            raise UserError(f"run_dir {run_dir} is in use by process {owner}") from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let others have the directory."""
        self._file.close()
