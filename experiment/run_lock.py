"""One training at a time in a run's directory."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from experiment.errors import UserError


class RunLock:
    """A file that keeps others out; a process that dies, however it does, gives it free."""

    def __init__(self, path: Path, warn: Callable[[str], object]) -> None:
        """Take the lock.

        Args:
            path: The file; it is made, its directory must be there.
            warn: Is told if the file system knows no locks, as some of networks do.

        Raises:
            UserError: If another process has it; names that process.
            OSError: If it cannot be written.
        """
        self._path = path
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            owner = self._file.read().strip()
            self._file.close()
            raise UserError(f"run_dir {path.parent} is in use by process {owner}") from error
        except OSError as error:
            warn(
                f"warning: run_dir {path.parent} cannot be locked ({error.strerror}): "
                "nothing keeps a second training out of it"
            )
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def holds(self) -> bool:
        """Whether the file is still at its place: a directory can be deleted or moved."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let others in."""
        self._file.close()
