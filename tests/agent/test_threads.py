"""Tasks in threads of their own."""

import signal
import threading
import time
from threading import Event

import pytest
import torch

from agent import threads
from agent.threads import Pulse, StalledError, in_parallel


def test_tasks_run_at_the_same_time_and_results_keep_their_order():
    # Each task waits for the other: one after the other they would never end.
    meeting = threading.Barrier(2, timeout=10)

    def task(name: str) -> str:
        meeting.wait()
        return name

    assert in_parallel([lambda _: task("first"), lambda _: task("second")]) == ["first", "second"]


def test_pytorchs_threads_are_shared_out_and_as_many_as_before_afterwards():
    before = torch.get_num_threads()
    try:
        for threads, each in ((1, 1), (2, 1), (4, 2)):
            torch.set_num_threads(threads)
            assert in_parallel([lambda _: torch.get_num_threads()] * 2) == [each, each]
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("order", [1, -1])
def test_an_exception_stops_the_others_and_is_raised_after_all_have_ended(order: int):
    ended = Event()

    def broken(_: Pulse) -> None:
        raise ZeroDivisionError

    def endless(pulse: Pulse) -> None:
        assert pulse.wait(10)
        time.sleep(0.1)
        ended.set()

    with pytest.raises(ZeroDivisionError):
        in_parallel([broken, endless][::order])
    assert ended.is_set()


def test_an_interruption_stops_all():
    def endless(pulse: Pulse) -> None:
        signal.raise_signal(signal.SIGINT)
        assert pulse.wait(10)

    with pytest.raises(KeyboardInterrupt):
        in_parallel([endless])


def test_a_task_that_hangs_is_named_and_left_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "LOOK", 0.05)
    monkeypatch.setattr(threads, "PATIENCE", 10)
    monkeypatch.setattr(threads, "FAREWELL", 0.1)
    hung = Event()

    def hangs(pulse: Pulse) -> None:
        pulse.beat()
        hung.wait(30)

    def lives(pulse: Pulse) -> None:
        while pulse.beat():
            time.sleep(0.01)

    started = time.monotonic()
    with pytest.raises(StalledError, match=r"a game has not answered for 0 seconds"):
        in_parallel([lives, hangs])
    assert 0.5 <= time.monotonic() - started < 10
    hung.set()


def test_a_slow_task_that_shows_life_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "LOOK", 0.02)
    monkeypatch.setattr(threads, "PATIENCE", 5)

    def slow(pulse: Pulse) -> str:
        for _ in range(30):
            assert pulse.beat()
            time.sleep(0.02)
        return "done"

    # The one that is done early needs to show no life any more.
    assert in_parallel([slow, lambda _: "at once"]) == ["done", "at once"]
