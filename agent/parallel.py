"""Tasks side by side, each in a thread of its own in which PyTorch uses no other."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Result = TypeVar("Result")


def in_parallel(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run every task in a thread of its own; returns their results in order.

    PyTorch's own pool stays out of it: its idle threads spin where other tasks want to run.

    Raises:
        Exception: What the first failing task raised, after all have ended.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for this thread and those that begin now
    try:
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task) for task in tasks]
            return [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)
