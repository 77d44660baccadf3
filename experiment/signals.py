"""Ctrl-C and SIGTERM."""

import signal
import sys
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""What a shell reports of a process that a signal has ended."""


class StopRequest:
    """Lets an update end before a signal ends the training.

    While ``deferring``, a signal is only noted; a second Ctrl-C ends the program at once. At other
    times any signal does: Ctrl-C raises KeyboardInterrupt, SIGTERM raises SystemExit(143). A second
    SIGTERM is ignored while ``deferring``, because supervisors send it more than once.
    """

    def __init__(self) -> None:
        """Take over SIGINT and SIGTERM until ``close``."""
        self.deferring = False
        self.signal: int | None = None
        """The signal that was noted last."""
        self._previous = {number: signal.signal(number, self._handle) for number in EXIT_CODES}

    @property
    def requested(self) -> bool:
        """Whether to stop as soon as the work at hand is saved."""
        return self.signal is not None

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.deferring and not number == self.signal == signal.SIGINT:
            self.signal = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            sys.exit(EXIT_CODES[signal.SIGTERM])

    def close(self) -> None:
        """Give both signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
