"""Tasks in threads of their own, among which PyTorch's threads are divided."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

import torch

Result = TypeVar("Result")


def in_parallel(tasks: Sequence[Callable[[Event], Result]]) -> list[Result]:
    """Run every task in a thread of its own, a single one in this; returns the results in order.

    PyTorch's threads are divided among the tasks, because its idle threads keep a core busy that
    another task needs.

    Args:
        tasks: At least one. Each is called with an event. When the event is set, because another
            task failed or the user interrupted, a task should end without a result.

    Raises:
        Exception: What the first failing task raised, after all have ended.
    """
    if len(tasks) == 1:
        return [tasks[0](Event())]
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // len(tasks)))  # here and in threads that begin now
    stop = Event()
    try:
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task, stop) for task in tasks]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                stop.set()
                raise
            return [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)
