"""Tasks in threads of their own."""

import threading

import pytest
import torch

from agent.parallel import in_parallel


def test_tasks_run_at_the_same_time_and_results_keep_their_order():
    # Each task waits for the other: one after the other they would never end.
    meeting = threading.Barrier(2, timeout=10)

    def task(name: str) -> str:
        meeting.wait()
        return name

    assert in_parallel([lambda: task("first"), lambda: task("second")]) == ["first", "second"]


def test_pytorch_uses_one_thread_within_and_as_many_as_before_afterwards():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert in_parallel([torch.get_num_threads] * 2) == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_exception_is_raised_after_all_have_ended():
    ended = threading.Event()

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel([broken, ended.set])
    assert ended.is_set()
