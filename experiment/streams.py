"""Standard output and standard error that never end a command: what they lose is not work."""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

ESCAPED = "backslashreplace"
"""What becomes of a character that an encoding lacks."""


class _Lenient(io.FileIO):
    """A file descriptor that drops what it cannot write.

    The reader of a pipe may be gone, a terminal dead, a disk full. Each write tries again, so a log
    goes on once there is space.
    """

    def write(self, data: Any, /) -> int:
        """Write, or drop; returns the length of ``data``."""
        written = None
        with suppress(OSError):
            written = super().write(data)
        return memoryview(data).nbytes if written is None else written


@contextmanager
def lenient_streams() -> Generator[None]:
    """While the context lasts, a print cannot fail: neither by its stream nor by its characters.

    A character that the stream's encoding lacks is written as its escape. Streams that somebody
    has put in the place of the process's own are left alone.
    """
    own = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        sys.stdout = _lenient(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _lenient(sys.stderr)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a stranger may be broken, or closed by now
                stream.flush()
        sys.stdout, sys.stderr = own


def _lenient(stream: TextIO | None) -> TextIO:
    """A stream of the same encoding over the same descriptor; nothing comes out if it is closed."""
    if stream is None:
        return Path(os.devnull).open("w", errors=ESCAPED)
    with suppress(OSError):
        stream.flush()
    raw = _Lenient(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, ESCAPED, line_buffering=True)
