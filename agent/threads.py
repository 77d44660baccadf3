"""Tasks in threads of their own, among which PyTorch's threads are divided, and which are watched.

ALE's vector environment loses an exception in one of its own threads and then waits for ever, and
nothing can end a thread that waits so. The caller goes on without it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from threading import Event, Thread
from typing import TypeVar

import torch

PATIENCE = 300
"""Looks at a task without a sign of life after which it counts as hanging."""
LOOK = 1.0
"""Seconds between two looks. While a program is suspended it does not look, and loses no time."""
FAREWELL = 5.0
"""Seconds that the other tasks have to end after one has failed."""
Result = TypeVar("Result")


class StalledError(RuntimeError):
    """A task hangs."""


class Pulse(Event):
    """Between a task and who waits for it: the task shows that it lives, the other may stop it."""

    def __init__(self) -> None:
        """Begin without a sign of life."""
        super().__init__()
        self.beats = 0

    def beat(self) -> bool:
        """Give a sign of life, at every step of a task.

        Returns:
            Whether to go on. If not, because another task failed or the user interrupted, the task
            should end without a result.
        """
        self.beats += 1
        return not self.is_set()


def in_parallel(tasks: Sequence[Callable[[Pulse], Result]]) -> list[Result]:
    """Run every task in a thread of its own; returns the results in order.

    PyTorch's threads are divided among the tasks, because its idle threads keep a core busy that
    another task needs. If it has but one, the tasks run one after the other.

    Args:
        tasks: At least one. Each is called with its pulse.

    Raises:
        Exception: What the first failing task raised, after the others have ended.
        StalledError: If a task gives no sign of life; its thread is left behind.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // len(tasks)))  # here and in threads that begin now
    try:
        if threads == 1:
            return [result for task in tasks for result in _all_at_once([task])]
        return _all_at_once(tasks)
    finally:
        torch.set_num_threads(threads)


def _all_at_once(tasks: Sequence[Callable[[Pulse], Result]]) -> list[Result]:
    pulses = [Pulse() for _ in tasks]
    futures = [_start(task, pulse) for task, pulse in zip(tasks, pulses, strict=True)]
    try:
        _watch(futures, pulses)
    except BaseException:
        for pulse in pulses:
            pulse.set()
        wait([future for future in futures if not future.done()], FAREWELL)
        raise
    return [future.result() for future in futures]


def _start(task: Callable[[Pulse], Result], pulse: Pulse) -> Future[Result]:
    """Run a task in a thread that does not keep the program from ending."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(task(pulse))
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _watch(futures: Sequence[Future[Result]], pulses: Sequence[Pulse]) -> None:
    """Wait until all have ended; raises what one has raised, or StalledError."""
    last, quiet = [0] * len(pulses), [0] * len(pulses)
    while True:
        done, waiting = wait(futures, LOOK, FIRST_EXCEPTION)
        for future in done:
            future.result()
        if not waiting:
            return
        for index, (future, pulse) in enumerate(zip(futures, pulses, strict=True)):
            lives = future.done() or pulse.beats > last[index]
            quiet[index] = 0 if lives else quiet[index] + 1
            last[index] = pulse.beats
        if max(quiet) >= PATIENCE:
            raise StalledError(f"a game has not answered for {PATIENCE * LOOK:.0f} seconds")
