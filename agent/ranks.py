"""Data parallelism: processes with games of their own that train one agent together.

Every process, called a rank, plays its share of the games and learns from them. Between the
backward pass and the optimizer step the gradients of all ranks are averaged, so that all make the
same step. Few ranks of one machine average them in memory that all of them see; others send them.
With one rank nothing is averaged, and nothing waits.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from agent.shared_memory import shared_memory

ANSWER = 5.0
"""Seconds in which a rank that lives tells that it has lost another one."""
LOOK = 0.05
"""Seconds between two looks into the store."""
SHARED_MOST = 8
"""Ranks that average in shared memory. Each reads what all have written, so for many a ring of
messages is faster."""
SHARED_FEWEST = 2**15
"""Numbers that are averaged there; a message takes as long for fewer."""
Store = Any
"""What all ranks read and write; PyTorch exports its class, but not to type checkers."""
T = TypeVar("T")


class LostRankError(RuntimeError):
    """Another rank has ended or does not answer."""


class Ranks:
    """All ranks of a training, and which of them this process is."""

    def __init__(self, rank: int = 0, size: int = 1, store: Store | None = None) -> None:
        """One of ``size`` ranks; if there are several, their process group and store are there."""
        self.rank, self.size, self._store = rank, size, store
        # Two slots for each rank, written in turns; None where memory cannot be shared.
        self._slots: Tensor | None = None
        self._cannot_share = size > SHARED_MOST
        self._turn = 0

    @property
    def first(self) -> bool:
        """Whether this one writes files and speaks."""
        return self.rank == 0

    def led(self, task: Callable[[], T]) -> T:
        """Let the first rank do something; all get what came out, which can be pickled.

        Raises:
            BaseException: What the task raised, on the first rank.
            LostRankError: If a rank is lost.
            SystemExit: On the others, without a word, if it raised something.
        """
        if self.size == 1:
            return task()
        outcome, error = None, None
        if self.first:
            try:
                outcome = task()
            except BaseException as caught:
                error = caught
        outcome, failed = self.gather((outcome, error is not None))[0]
        if error:
            raise error
        if failed:
            raise SystemExit(1)
        return cast(T, outcome)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace float tensors by their means over all ranks, in one go.

        Raises:
            LostRankError: If a rank is lost.
        """
        if self.size == 1 or not tensors:
            return
        flat = [tensor.detach().flatten().float() for tensor in tensors]
        length = sum(part.numel() for part in flat)
        if self._shares(length, flat[0].device):
            mean = self._mean_in_memory(flat, length)
        else:
            mean = torch.cat(flat)
            self._all_reduce(mean, dist.ReduceOp.SUM)
            mean /= self.size
        parts = torch.split(mean, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def _shares(self, length: int, device: torch.device) -> bool:
        """Whether so many numbers are averaged in shared memory; gets the memory if it must."""
        if length < SHARED_FEWEST or device.type != "cpu" or self._cannot_share:
            return False
        if self._slots is None or self._slots.shape[-1] < length:
            self._slots = shared_memory(self.gather, self.rank, (2, self.size, length))
            self._cannot_share = self._slots is None
        return not self._cannot_share

    def _mean_in_memory(self, flat: list[Tensor], length: int) -> Tensor:
        """Mean (L,) over all ranks of what ``flat`` holds one after the other.

        No rank writes into a slot before all have read it: in between all have met for the other
        slot, which they reach after reading.
        """
        assert self._slots is not None
        slots = self._slots[self._turn, :, :length]
        self._turn = 1 - self._turn
        torch.cat(flat, out=slots[self.rank])
        self._all_reduce(torch.zeros(1), dist.ReduceOp.SUM)  # meet
        mean = slots[0].clone()
        for slot in slots[1:]:
            mean += slot
        return mean.div_(self.size)  # slots.mean(dim=0) takes five times as long

    def begin_alike(self, model: nn.Module) -> None:
        """Give every rank the parameters and buffers of the first one.

        Raises:
            LostRankError: If a rank is lost.
        """
        if self.size > 1:
            with self._watched():
                for tensor in model.state_dict().values():
                    dist.broadcast(tensor, 0)

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on any rank.

        Raises:
            LostRankError: If a rank is lost.
        """
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)])
        self._all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags.item())

    def gather(self, value: T) -> list[T]:
        """What every rank gives, in their order; anything that can be pickled.

        Raises:
            LostRankError: If a rank is lost.
        """
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with self._watched():
            dist.all_gather_object(found, value)
        return cast(list[T], found)

    def _all_reduce(self, tensor: Tensor, operation: Any) -> None:
        with self._watched():
            dist.all_reduce(tensor, operation)

    @contextmanager
    def _watched(self) -> Generator[None]:
        """Turn an error of the process group into who is lost."""
        try:
            yield
        except RuntimeError as error:
            raise LostRankError(f"lost {self._lost()}: {error}") from error

    def _lost(self) -> str:
        """Names of the ranks that do not tell in time that they have lost another one."""
        store = self._store
        if not store:
            return "another rank"
        with suppress(Exception):  # the store may be gone, too
            store.set(f"lives/{self.rank}", "")
            ends = time.monotonic() + ANSWER
            silent = [*range(self.size)]
            while silent and time.monotonic() < ends:
                silent = [rank for rank in silent if not store.check([f"lives/{rank}"])]
                time.sleep(LOOK)
            names = [f"rank {rank} ({store.get(f'name/{rank}').decode()})" for rank in silent]
            return ", ".join(names) or "the connection"
        return "another rank"
