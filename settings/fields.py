"""Bounds and roles as annotations beside the fields of a config, and the check that reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_type_hints
from unicodedata import category


@dataclass(frozen=True)
class Within:
    """Bounds of a number, or of each number of a tuple."""

    low: float
    high: float
    above: bool = False
    """Whether ``low`` itself is too low."""

    def __contains__(self, value: float) -> bool:
        """Whether ``value`` keeps to the bounds; NaN never does."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        """What is allowed, in words."""
        low, high = (format(Decimal(str(end)), "f") for end in (self.low, self.high))
        return f"above {low} and at most {high}" if self.above else f"from {low} to {high}"


class Role(Enum):
    """What a field means to a training. Without a role it is fixed for the whole run."""

    NEUTRAL = auto()
    """Training computes the same whatever its value, and a resumption may change it."""
    EXTENDABLE = auto()
    """It changes what is trained, but a resumption may change it."""


Seed = Annotated[int, Within(0, 2**32 - 1)]
"""Seed of everything random."""


class Checked:
    """Base of a dataclass: a value that its field cannot have is refused when an object is made."""

    def __post_init__(self) -> None:
        """Check every field that has bounds, and every path.

        Raises:
            ValueError: Names the field, what is allowed and the value.
        """
        for name, annotations in _annotations(type(self)).items():
            value: Any = getattr(self, name)
            is_tuple = isinstance(value, tuple)
            for path in cast(tuple[Any, ...], value if is_tuple else (value,)):
                if isinstance(path, Path):
                    _check_path(name, path)
            if value is None:  # where the type allows it, it means that there is no number
                continue
            numbers = cast(tuple[float, ...], value if is_tuple else (value,))
            for bounds in annotations:
                if not isinstance(bounds, Within):
                    continue
                if not numbers:
                    raise ValueError(f"{name} must be one or more numbers {bounds}, got none")
                if not all(number in bounds for number in numbers):
                    each = "each " if is_tuple else ""
                    raise ValueError(f"{name} must {each}be {bounds}, got {value}")


def _check_path(name: str, path: Path) -> None:
    """Refuse what no file system takes, and what no JSON and no command to be copied can hold."""
    text = str(path)
    if text != text.encode(errors="replace").decode() or any(map(_is_control, text)):
        raise ValueError(f"{name} must be a path in UTF-8 without control codes, got {text!r}")


def _is_control(letter: str) -> bool:
    """Whether a terminal does something with a letter instead of showing it."""
    return category(letter) == "Cc"


def names_with(kind: type, *roles: Role) -> frozenset[str]:
    """Dotted names of the fields of a config, nested ones included, that have one of ``roles``."""
    return frozenset(name for name, found in _walk(kind, "") if set(roles) & set(found))


def _walk(kind: type, prefix: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Dotted name and annotations of every field."""
    for name, hint in get_type_hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _walk(hint, f"{prefix}{name}.")
        else:
            yield prefix + name, _annotations(kind)[name]


@cache
def _annotations(kind: type) -> dict[str, tuple[Any, ...]]:
    """What is annotated to each field of a class; to the elements of a tuple counts too."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        inner = [note for argument in get_args(hint) for note in _notes(argument)]
        found[name] = (*_notes(hint), *inner)
    return found


def _notes(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())
