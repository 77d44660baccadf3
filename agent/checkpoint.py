"""Checkpoints: one file of tensors and primitives, written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cattrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from agent.errors import UserError

FORMAT, VERSION = "knifesight-checkpoint", "5"
T = TypeVar("T")
KEPT = 2
"""Numbered checkpoints that a run directory keeps."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, foreign or does not fit."""


class Checkpoint(NamedTuple):
    """A file's content: tensors by name and JSON state (config, projection, counters)."""

    path: Path
    tensors: dict[str, Tensor]
    state: dict[str, Any]

    def read(self, kind: type[T], *keys: str) -> T:
        """The part of the state under ``keys`` as a dataclass.

        Raises:
            CheckpointError: If it is not there or does not fit ``kind``.
        """
        value: Any = self.state
        try:
            for key in keys:
                value = value[key]
            return cattrs.structure(value, kind)
        except (KeyError, TypeError, cattrs.BaseValidationError) as error:
            name = ".".join(keys)
            raise CheckpointError(f"{self.path}: its {name} does not fit this program") from error


def capture(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that training changes, by name: parameters, buffers, moments, random state."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    return tensors


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put back what ``capture`` took.

    Raises:
        CheckpointError: If a tensor is missing or its shape is not the model's.
    """
    restore_model(checkpoint, model)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _group(checkpoint, "optimizer").items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if moments.keys() != set(range(len(parameters))) or "rng.cpu" not in checkpoint.tensors:
        raise CheckpointError(
            f"{checkpoint.path}: its optimizer or random state does not fit this program"
        )
    # A file knows no memory layout, and fused Adam pairs moments with parameters by their place in
    # memory: moments of channels-last weights must be channels last again.
    for index, parameter in enumerate(parameters):
        for name, value in moments[index].items():
            if value.shape == parameter.shape:
                moments[index][name] = torch.empty_like(parameter, device="cpu").copy_(value)
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    torch.set_rng_state(checkpoint.tensors["rng.cpu"])
    if torch.cuda.is_available() and "rng.cuda" in checkpoint.tensors:
        torch.cuda.set_rng_state(checkpoint.tensors["rng.cuda"])


def restore_model(checkpoint: Checkpoint, model: nn.Module) -> None:
    """Load parameters and buffers alone, for evaluation.

    Raises:
        CheckpointError: If a tensor is missing or its shape is not the model's.
    """
    found = _group(checkpoint, "model")
    wanted = model.state_dict()
    for name in sorted(wanted.keys() | found.keys()):
        shapes = [tuple(side[name].shape) if name in side else None for side in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{checkpoint.path}: tensor {name} has shape {shapes[0]}, "
                f"the model needs {shapes[1]}"
            )
    model.load_state_dict(found)


def save(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint so that ``path`` always holds a whole one.

    The bytes go to a hidden file beside the target, are flushed to the disk and renamed onto it.

    Raises:
        OSError: If the directory cannot be written; the old file is untouched.
    """
    content = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {"format": FORMAT, "version": VERSION, "state": json.dumps(state)},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint file, or the latest one of a run directory.

    Nothing is unpickled: the format is safetensors.

    Raises:
        CheckpointError: If there is none, or it is truncated, foreign or of another version.
    """
    try:
        if path.is_dir():
            files = numbered(path)
            if not files:
                raise CheckpointError(f"{path}: holds no checkpoint")
            path = files[-1]
        if not path.is_file():
            raise CheckpointError(f"{path}: no such checkpoint")
        opened: Any = safetensors.safe_open(path, "pt")
        with opened as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: damaged or not a checkpoint ({error})") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of this program")
    if metadata.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: format version {metadata.get('version')}, this program reads {VERSION}"
        )
    try:
        return Checkpoint(path, tensors, json.loads(metadata["state"]))
    except (KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: damaged, its state cannot be read") from error


def save_numbered(
    run_dir: Path, steps: int, tensors: dict[str, Tensor], state: dict[str, Any]
) -> Path:
    """Save as the latest checkpoint of a run and drop all but the newest ``KEPT``."""
    path = run_dir / "checkpoints" / f"steps_{steps:012d}.safetensors"
    save(path, tensors, state)
    for old in numbered(run_dir)[:-KEPT]:
        old.unlink()
    return path


def save_best(run_dir: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Save as the best checkpoint of a run."""
    save(run_dir / "checkpoints" / "best.safetensors", tensors, state)


def numbered(run_dir: Path) -> list[Path]:
    """The checkpoints of a run directory by steps, oldest first, without the best."""
    return sorted((run_dir / "checkpoints").glob("steps_*.safetensors"))


def _group(checkpoint: Checkpoint, prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {
        name.removeprefix(start): value
        for name, value in checkpoint.tensors.items()
        if name.startswith(start)
    }
