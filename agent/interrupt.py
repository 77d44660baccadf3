"""Ctrl-C."""

import signal


class StopRequest:
    """Turns the first Ctrl-C into a request; the second one interrupts at once."""

    def __init__(self) -> None:
        """Take over SIGINT until ``close``."""
        self.requested = False
        self._previous = signal.signal(signal.SIGINT, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def close(self) -> None:
        """Give SIGINT back."""
        signal.signal(signal.SIGINT, self._previous)
