"""Memory that all ranks of one machine see, for what is too large to send quickly."""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor

Gather = Callable[[Any], list[Any]]
"""Gives what every rank gave, in their order."""


def shared_memory(gather: Gather, rank: int, shape: tuple[int, ...]) -> Tensor | None:
    """Float32 zeros of all ranks, or None on all of them if they cannot share memory.

    They cannot if they run on several machines, or if the system has no files in memory. Nobody has
    to remove the memory: it goes when the last rank ends, however it ends.

    Args:
        gather: Of all ranks, which call this together.
        rank: Of this process.
        shape: Of the memory.
    """
    name, handle = f"knifesight-{uuid4().hex}", None
    size = torch.Size(shape).numel() * torch.float32.itemsize
    if rank == 0 and hasattr(os, "memfd_create"):
        with suppress(OSError):
            handle = os.memfd_create(name)
            os.truncate(handle, size)
    path = Path(f"/proc/{os.getpid()}/fd/{handle}")
    try:
        path, name = gather((path, name))[0]
        found = _open(path, name, size)
        if not all(gather(found is not None)) or found is None:
            return None
        return torch.frombuffer(found, dtype=torch.float32).view(shape)
    finally:
        if handle is not None:
            os.close(handle)


def _open(path: Path, name: str, size: int) -> mmap.mmap | None:
    """The first rank's file, or None: on another machine the same path is something else."""
    with suppress(OSError):
        if str(path.readlink()) == f"/memfd:{name} (deleted)":
            with path.open("r+b") as file:
                return mmap.mmap(file.fileno(), size)
    return None
