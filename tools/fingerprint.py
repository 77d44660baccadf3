"""A hash of what a training computed, to see whether two versions compute the same.

Prints two hashes. The first is over all parameters and buffers, whatever they are called. The
second is over all events in TensorBoard but those that hold times, paths or the config, which may
differ between runs that compute the same. Only files are read, so runs of other versions can be
read too.

Example:
    python -m tools.fingerprint runs/kung_fu_master
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
import tyro
from safetensors import SafetensorError
from tensorboard.backend.event_processing.event_file_loader import (  # pyright: ignore[reportMissingTypeStubs]
    EventFileLoader,
)
from torch import Tensor

from experiment.command_line import exit_code
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from settings import Checked

OF_TIME = ("speed/", "Final/minutes")
"""Beginnings of tags whose values are measured in seconds."""
OF_PLACE = ("_hparams_/", "run/text_summary")
"""Beginnings of tags that hold paths, and the names and values of the config."""


@dataclass(frozen=True)
class FingerprintConfig(Checked):
    """Print a hash of a run's parameters and one of its events."""

    run_dir: tyro.conf.Positional[Path]
    """Directory of the run; its latest checkpoint counts."""


def main() -> None:
    """Print both hashes."""
    run = RunDirectory(tyro.cli(FingerprintConfig).run_dir)
    found = run.numbered()
    if not found:
        raise UserError(f"run_dir must be a directory with a checkpoint, got {run.path}")
    try:
        tensors = safetensors.torch.load_file(found[-1])
    except (SafetensorError, OSError) as error:
        raise UserError(f"{found[-1]}: damaged or not a checkpoint ({error})") from error
    trained = [value for name, value in tensors.items() if name.startswith("model.")]
    print(f"parameters {hash_tensors(trained)} ({len(trained)} tensors, {found[-1].name})")
    digest, count = hash_events(
        sorted(file for file in run.tensorboard.glob("events.*") if file.is_file())
    )
    print(f"events     {digest} ({count} events)")


def hash_tensors(tensors: list[Tensor]) -> str:
    """SHA-256 over the type, shape and bytes of every tensor, whatever their order."""
    parts = [
        hashlib.sha256(
            f"{tensor.dtype} {tuple(tensor.shape)}\n".encode()
            + tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        ).hexdigest()
        for tensor in tensors
    ]
    return hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()


def hash_events(files: list[Path]) -> tuple[str, int]:
    """SHA-256 over step, tag and value of every event in order, and how many they are.

    Left out are the tags of ``OF_TIME`` and ``OF_PLACE``.
    """
    digest, count = hashlib.sha256(), 0
    for file in files:
        events = cast(Any, EventFileLoader(str(file)).Load())
        for event in events:
            for value in event.summary.value:
                if not value.tag.startswith(OF_TIME + OF_PLACE):
                    digest.update(f"{event.step} {value.tag}\n".encode() + _content(value))
                    count += 1
    return digest.hexdigest(), count


def _content(value: Any) -> bytes:
    """What an event holds, without its tag."""
    return value.tensor.SerializeToString(deterministic=True)


if __name__ == "__main__":
    sys.exit(exit_code(main))
