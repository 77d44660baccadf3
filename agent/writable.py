"""Whether a result can be written, before the work that it takes."""

import os
from pathlib import Path

LONGEST_NAME = 250
"""Bytes; file systems take 255, and the temporary name is five longer."""


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
