"""How the ranks that torchrun has started find each other."""

import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import torch
import torch.distributed as dist

from agent.ranks import LOOK, LostRankError, Ranks, Store

TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for the others; drawing, saving and calibration take seconds."""


@contextmanager
def joined_ranks() -> Generator[Ranks]:
    """The ranks that torchrun started, joined while the context lasts; one rank without it.

    GPUs average by NCCL, processors by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    unlisted = cast(Any, dist)  # what PyTorch's type stubs leave out
    shared, rank, size = next(unlisted.rendezvous("env://"))
    store = unlisted.PrefixStore(meet(shared, rank, size), shared)
    store.set(f"name/{rank}", f"process {os.getpid()} on {socket.gethostname()}")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT, world_size=size, rank=rank, store=store)
    try:
        yield Ranks(rank, size, store)
    finally:
        dist.destroy_process_group()


def meet(store: Store, rank: int, size: int) -> str:
    """A word that all ranks have in common, and no rank of an earlier attempt ever had.

    After a restart torchrun may leave in its store what the lost ranks wrote, addresses too. So
    each rank tells the first one a word of its own, and hears it again together with the answer.

    Args:
        store: Of all ranks.
        rank: Of this process.
        size: How many there are.

    Raises:
        LostRankError: If a rank does not come in time.
    """
    own, ends = uuid4().hex, time.monotonic() + TIMEOUT.total_seconds()
    missing = [*range(1, size)] if rank == 0 else [0]
    if rank:
        store.set(f"hello/{rank}", own)
    while time.monotonic() < ends:
        if rank:
            echo, _, word = _written(store, f"answer/{rank}").partition(" ")
            if echo == own:
                store.set(f"thanks/{rank}", word)
                return word
        else:
            for other in missing:
                store.set(f"answer/{other}", f"{_written(store, f'hello/{other}')} {own}")
            missing = [one for one in missing if _written(store, f"thanks/{one}") != own]
            if not missing:
                return own
        time.sleep(LOOK)
    raise LostRankError(f"rank {', '.join(map(str, missing))} has not come")


def _written(store: Store, key: str) -> str:
    return store.get(key).decode() if store.check([key]) else ""
