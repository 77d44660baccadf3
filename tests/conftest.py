"""Tests run on one thread: their networks are tiny, and a machine's cores may be busy."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from tensorboard.summary.writer import event_file_writer

from monitoring import film

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def event_files_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two event files of one second and one process are told apart, and read in order, by a number.

    A tenth one would come before the ninth, which no two trainings of a user ever meet.
    """
    numbers = itertools.count()
    monkeypatch.setattr(event_file_writer._global_uid, "get", lambda: next(numbers))


@pytest.fixture(autouse=True, scope="session")
def short_films() -> Iterator[None]:
    """Every training films at its end; two pictures are enough, but where films are tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film, "LENGTH", 2)
        patch.setattr(film, "PATIENCE", 2)
        yield
