"""Ctrl-C, SIGTERM, and SIGHUP: the end of a terminal."""

import signal
import sys
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
"""What a shell reports of a process that a signal has ended."""


class StopRequest:
    """Lets an update end before a signal ends the training.

    While ``deferring``, a signal is only noted; a second Ctrl-C ends the program at once. At other
    times any signal does: Ctrl-C raises KeyboardInterrupt, SIGTERM and SIGHUP raise SystemExit with
    their exit code. While ``deferring`` these two may come more than once, as supervisors send
    them. A SIGHUP that was ignored before, as by nohup, stays ignored.
    """

    def __init__(self) -> None:
        """Take over the signals until ``close``."""
        self.deferring = False
        self.signal: signal.Signals | None = None
        """The signal that was noted last."""
        self._previous = {
            number: signal.signal(number, self._handle)
            for number in EXIT_CODES
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }

    @property
    def requested(self) -> bool:
        """Whether to stop as soon as the work at hand is saved."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """Of a training that was saved: 0 after Ctrl-C, or if there was no signal."""
        return 0 if self.signal in (None, signal.SIGINT) else EXIT_CODES[self.signal]

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.deferring and not number == self.signal == signal.SIGINT:
            self.signal = signal.Signals(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            sys.exit(EXIT_CODES[signal.Signals(number)])

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
