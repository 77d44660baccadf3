"""Tests run on one thread: their networks are tiny, and a machine's cores may be busy."""

from collections.abc import Iterator

import pytest
import torch

from monitoring import film

torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def short_films() -> Iterator[None]:
    """Every training films at its end; two pictures are enough, but where films are tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film, "LENGTH", 2)
        patch.setattr(film, "PATIENCE", 2)
        yield
