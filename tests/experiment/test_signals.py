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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_noted_while_deferring(stop: StopRequest, number: signal.Signals):
    stop.deferring = True
    assert not stop.requested
    signal.raise_signal(number)
    assert stop.requested
    assert stop.signal == number


def test_otherwise_and_the_second_time_they_end_the_program(stop: StopRequest):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for number, code in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        with pytest.raises(SystemExit) as left:
            signal.raise_signal(number)
        assert left.value.code == code
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


@pytest.mark.parametrize(
    ("number", "code"),
    [(None, 0), (signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_saved_training_tells_which_signal_ended_it(
    stop: StopRequest, number: signal.Signals | None, code: int
):
    stop.deferring = True
    if number:
        signal.raise_signal(number)
    assert stop.exit_code == code


def test_a_hangup_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request = StopRequest()
    request.deferring = True
    signal.raise_signal(signal.SIGHUP)
    assert not request.requested
    request.close()
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN


def test_the_signals_are_given_back():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    request = StopRequest()
    assert not {signal.getsignal(number) for number in numbers} & set(before)
    request.close()
    assert [signal.getsignal(number) for number in numbers] == before
