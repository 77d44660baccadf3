"""Kung-Fu Master with another play area."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from envs import KUNG_FU_MASTER


@contextmanager
def playing(**changes: Any) -> Iterator[None]:
    """Change fields of the game for every module that knows it."""
    before, other = replace(KUNG_FU_MASTER), replace(KUNG_FU_MASTER, **changes)
    for field in fields(KUNG_FU_MASTER):
        object.__setattr__(KUNG_FU_MASTER, field.name, getattr(other, field.name))
    try:
        yield
    finally:
        for field in fields(KUNG_FU_MASTER):
            object.__setattr__(KUNG_FU_MASTER, field.name, getattr(before, field.name))
