"""What a training wrote to TensorBoard, read back."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tensorboard.backend.event_processing.event_accumulator import (  # pyright: ignore[reportMissingTypeStubs]
    EventAccumulator,
    ScalarEvent,
)


def scalars(log_dir: Path, tags: Sequence[str]) -> dict[str, list[ScalarEvent]]:
    """A training's values by tag, with their ``step`` and ``wall_time``; empty where it has none.

    What a crash left beyond the checkpoint that was resumed is not among them. All are read at
    once, so all curves of a training that goes on end at the same step.

    Args:
        log_dir: Directory of its event files.
        tags: What is wanted.
    """
    events = EventAccumulator(str(log_dir), {"scalars": 0})
    if log_dir.is_dir():
        events.Reload()
    there = cast(list[str], events.Tags()["scalars"])
    return {
        tag: cast(list[ScalarEvent], events.Scalars(tag) if tag in there else []) for tag in tags
    }
