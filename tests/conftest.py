"""Tests run on one thread: their networks are tiny, and a machine's cores may be busy."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from agent import traced
from monitoring import film

torch.set_num_threads(1)

SHARED = {f"tests/test_{name}.py" for name in ("docs", "export", "output", "tensorboard")}
"""Files whose tests share what takes long to make; each is run by one process."""


class Scheduling(LoadScopeScheduling):
    """Deals tests out one by one, but those of ``SHARED`` by their file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in SHARED else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def no_recording() -> Iterator[None]:
    """To record a network takes longer than most trainings here; ``test_acting.py`` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traced, "SUPPORTED", False)
        yield


@pytest.fixture(autouse=True, scope="session")
def short_films() -> Iterator[None]:
    """Every training films at its end; two pictures are enough, but where films are tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film, "LENGTH", 2)
        patch.setattr(film, "PATIENCE", 2)
        yield
