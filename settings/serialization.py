"""Dataclasses to JSON and back, without any silent change."""

import json
from typing import Any, TypeVar, cast

import cattrs

T = TypeVar("T")
LISTED = 5
"""Problems that an error names."""


def to_json(value: Any) -> Any:
    """A dataclass as JSON holds it: dicts, lists, strings, numbers, truth values and None."""
    return json.loads(json.dumps(cattrs.unstructure(value)))


def from_json(value: Any, kind: type[T]) -> T:
    """Build a dataclass from what ``to_json`` made of one of the same fields.

    A missing field is not replaced by its default, an unknown one is not dropped, and no value is
    rounded: what is built must become the same JSON again.

    Raises:
        ValueError: If it would not; names the fields that differ.
    """
    if not isinstance(value, dict):
        raise ValueError(f"it must be an object with fields, got {type(value).__name__}")
    try:
        built = cattrs.structure(cast(object, value), kind)
    except cattrs.BaseValidationError as error:
        reasons = cattrs.transform_error(error, format_exception=_reason)
        raise ValueError(
            _listed([reason.replace(" @ $.", " at ") for reason in reasons])
        ) from error
    given, wanted = flat(value), flat(to_json(built))
    problems = [f"{name} is missing" for name in wanted if name not in given]
    problems += [f"{name} is unknown" for name in given if name not in wanted]
    problems += [
        f"{name} cannot be {given[name]!r}"
        for name in wanted
        if name in given and given[name] != wanted[name]
    ]
    if problems:
        raise ValueError(_listed(problems))
    return built


def flat(value: Any) -> dict[str, Any]:
    """The values of nested dicts by dotted name; anything else is one value without a name."""
    if not isinstance(value, dict):
        return {"": value}
    found: dict[str, Any] = {}
    for name, inner in cast(dict[str, Any], value).items():
        for rest, leaf in flat(inner).items():
            found[f"{name}.{rest}" if rest else name] = leaf
    return found


def _reason(error: BaseException, _: type | None) -> str:
    """Why a single value could not be structured."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _listed(problems: list[str]) -> str:
    """The first few of many problems as one line."""
    more = [f"and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    return "; ".join(problems[:LISTED] + more)
