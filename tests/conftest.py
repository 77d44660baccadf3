"""Tests run on one thread: their networks are tiny, and a machine's cores may be busy."""

import itertools

import pytest
import torch
from tensorboard.summary.writer import event_file_writer

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def event_files_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two event files of one second and one process are told apart, and read in order, by a number.

    A tenth one would come before the ninth, which no two trainings of a user ever meet.
    """
    numbers = itertools.count()
    monkeypatch.setattr(event_file_writer._global_uid, "get", lambda: next(numbers))
