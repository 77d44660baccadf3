"""Signals, sent for real."""

import signal
from collections.abc import Iterator

import pytest

from experiment.signals import StopRequest


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    request = StopRequest()
    yield request
    request.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_while_deferring(stop: StopRequest, number: signal.Signals):
    stop.deferring = True
    assert not stop.requested
    signal.raise_signal(number)
    assert stop.requested
    assert stop.signal == number


def test_otherwise_and_the_second_time_they_end_the_program(stop: StopRequest):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(SystemExit) as left:
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143
    stop.deferring = True
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_repeated_sigterm_still_waits_for_the_save(stop: StopRequest, first: signal.Signals):
    stop.deferring = True
    for number in (first, signal.SIGTERM, signal.SIGTERM):
        signal.raise_signal(number)
    assert stop.signal == signal.SIGTERM


def test_both_signals_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    request = StopRequest()
    assert signal.getsignal(signal.SIGTERM) != before[1]
    request.close()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
