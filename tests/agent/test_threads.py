"""Tasks in threads of their own."""

import signal
import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest
import torch

from agent import threads
from agent.threads import Pulse, StalledError, in_parallel


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """With one, tasks run one after the other."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_with_one_thread_tasks_run_one_after_the_other():
    torch.set_num_threads(1)
    log: list[str] = []

    def task(name: str) -> str:
        log.append(f"{name} begins")
        time.sleep(0.05)
        log.append(f"{name} ends")
        return name

    assert in_parallel([lambda _: task("first"), lambda _: task("second")]) == ["first", "second"]
    assert log == ["first begins", "first ends", "second begins", "second ends"]


def test_tasks_run_at_the_same_time_and_results_keep_their_order():
    # Each task waits for the other: one after the other they would never end.
    meeting = threading.Barrier(2, timeout=10)

    def task(name: str) -> str:
        meeting.wait()
        return name

    assert in_parallel([lambda _: task("first"), lambda _: task("second")]) == ["first", "second"]


def test_pytorchs_threads_are_shared_out_and_as_many_as_before_afterwards():
    for count, each in ((1, 1), (2, 1), (4, 2)):
        torch.set_num_threads(count)
        assert in_parallel([lambda _: torch.get_num_threads()] * 2) == [each, each]
        assert torch.get_num_threads() == count


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
