"""Whether a result can be written, before the work that it takes."""

import os
from pathlib import Path


def can_write(path: Path) -> bool:
    """Whether a file can be made or replaced at ``path``, without touching it."""
    if "\0" in str(path):
        return False
    try:
        target = path if os.path.lexists(path) else path.parent
        return os.access(target, os.W_OK) and path.parent.is_dir() and not path.is_dir()
    except OSError:  # a name that is too long
        return False
