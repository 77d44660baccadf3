"""Files that are written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".tmp"
"""Ending of a file that is being written; nothing that loads looks for it."""
LONGEST_NAME = 250
"""Bytes; file systems take 255, and the temporary name is five longer."""


class SaveError(RuntimeError):
    """A file could not be written; the one that was there is as it was."""


def write_file(path: Path, content: bytes) -> None:
    """Replace a file by ``content``, or leave it as it is.

    The bytes go to a hidden file beside the target, are flushed to the disk and renamed onto it.

    Raises:
        SaveError: If it cannot be written, for want of space for instance. Nothing half-written
            stays.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise SaveError(f"{path} cannot be written: {error.strerror}") from error
    with suppress(OSError):  # some file systems cannot; the file is there all the same
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def can_write(path: Path) -> bool:
    """Whether a file can be made or replaced at ``path``, without touching it.

    It is written beside ``path`` under a slightly longer name and renamed, so nothing but a regular
    file may be there, and its directory must be writable.
    """
    if "\0" in str(path) or len(os.fsencode(path.name)) > LONGEST_NAME:
        return False
    try:
        is_free = not os.path.lexists(path) or (path.is_file() and not path.is_symlink())
        return is_free and path.parent.is_dir() and os.access(path.parent, os.W_OK)
    except OSError:  # a name that is too long
        return False
