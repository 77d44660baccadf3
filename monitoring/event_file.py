"""TensorBoard's event files, written by the thread that has the events.

``SummaryWriter`` writes in a thread of its own. If that fails, the thread prints a traceback and
nobody else learns of it. It also names its file after the clock; TensorBoard reads files in the
order of their names, so a clock that was set back would show the lost end of a run and hide what
was trained again.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false
import os
import re
import socket
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter

NAME = re.compile(r"events\.out\.tfevents\.(\d+)\.")


class EventFile:
    """One event file of a run; it comes after all that are there."""

    def __init__(self, log_dir: Path, steps: int) -> None:
        """Begin a file; what earlier ones hold beyond ``steps`` is hidden.

        Raises:
            OSError: If it cannot be written.
        """
        log_dir.mkdir(parents=True, exist_ok=True)
        found = [NAME.match(file.name) for file in log_dir.iterdir()]
        after = max((int(name[1]) + 1 for name in found if name), default=0)
        stamp = max(int(time.time()), after)
        name = f"events.out.tfevents.{stamp:010d}.{socket.gethostname()}.{os.getpid()}"
        self.path = log_dir / name
        self._file = self.path.open("xb")
        self._records = RecordWriter(self._file)
        self._add(Event(file_version="brain.Event:2"))
        hidden = SessionLog(status=SessionLog.START)
        self._add(Event(step=steps + 1, session_log=hidden))

    def add(self, summary: Any, steps: int = 0) -> None:
        """Write a summary, a protocol buffer, at a step.

        Raises:
            OSError: If it cannot be written.
        """
        self._add(Event(summary=summary, step=steps))

    def flush(self) -> None:
        """Hand everything to the operating system.

        Raises:
            OSError: If it cannot be written, or the file was deleted or moved.
        """
        self._file.flush()
        self.path.stat()

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: If what is left cannot be written.
        """
        self._file.close()

    def _add(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
