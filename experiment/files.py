"""Files that are written whole or not at all."""

import json
import math
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

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
        raise SaveError(f"{path} cannot be written: {reason(error, path)}") from error
    with suppress(OSError):  # some file systems cannot; the file is there all the same
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Replace a file by a value as JSON, or leave it as it is.

    JSON knows neither NaN nor infinity; they become null, because a result is not to be lost.

    Raises:
        SaveError: As ``write_file``.
    """
    text = json.dumps(_finite(value), indent=indent, allow_nan=False)
    write_file(path, f"{text}\n".encode())


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in cast(dict[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in cast(list[Any], value)]
    return value


def write_each(writes: Iterable[Callable[[], object]]) -> None:
    """Write several results; one that cannot be written keeps none of the others from it.

    Raises:
        SaveError: If any could not be written; says all that were not.
    """
    failures: list[str] = []
    for write in writes:
        try:
            write()
        except SaveError as error:
            failures.append(str(error))
    if failures:
        raise SaveError("; ".join(failures))


def why_not_writable(path: Path) -> str | None:
    """Why no file can be made or replaced at ``path``; None if one can. It is not touched.

    It is written beside ``path`` under a slightly longer name and renamed, so nothing but a regular
    file may be there, and its directory must be writable.
    """
    parent = path.parent
    if "\0" in str(path):
        return "it has a null byte"
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        return "its name is too long"
    try:
        if path.is_symlink():
            return "it is a link"
        if os.path.lexists(path) and not path.is_file():
            return f"it is a {kind(path)}"
        if parent.is_dir():
            return None if os.access(parent, os.W_OK) else f"{parent} cannot be written"
        return missing(parent)
    except OSError as error:  # a name that is too long, or no permission to look
        return error.strerror


def missing(path: Path) -> str:
    """Why there is no directory at ``path``: the first part of it that is none."""
    for place in (*reversed(path.parents), path):
        if place.is_symlink() and not place.exists():
            return f"{place} is a link to {place.readlink()}, which is not there"
        if not place.exists():
            return f"{place} is not there"
        if not place.is_dir():
            return f"{place} is a {kind(place)}"
    return f"{path} is a directory"


def reason(error: OSError, path: Path) -> str:
    """Why nothing can be written at ``path``. A link to nothing "exists" for the system."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        with suppress(OSError):  # a name that is too long
            return missing(path)
    return error.strerror or str(error)


def kind(path: Path) -> str:
    """What is there, in words."""
    mode = path.stat().st_mode
    kinds = {"directory": stat.S_ISDIR, "file": stat.S_ISREG, "pipe": stat.S_ISFIFO}
    return next((kind for kind, test in kinds.items() if test(mode)), "device")
