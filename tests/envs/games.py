"""Other games than the one that is played."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from envs import GAME

CARNIVAL = {"title": "Carnival", "rom": "carnival", "rows": (32, 192), "columns": (0, 160)}
"""214 rows and 6 actions."""


@contextmanager
def playing(**changes: Any) -> Iterator[None]:
    """Let every module that knows ``GAME`` play another one, without gauges if the ROM differs."""
    if "rom" in changes:
        changes = {"gauges": ()} | changes
    before, other = replace(GAME), replace(GAME, **changes)
    for field in fields(GAME):
        object.__setattr__(GAME, field.name, getattr(other, field.name))
    try:
        yield
    finally:
        for field in fields(GAME):
            object.__setattr__(GAME, field.name, getattr(before, field.name))
