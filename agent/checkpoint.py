"""Checkpoints: one file of tensors and primitives, written whole or not at all, and checked."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cattrs
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from agent.errors import UserError

FORMAT, VERSION = "knifesight-checkpoint", "6"
T = TypeVar("T")
KEPT = 2
"""Numbered checkpoints that a run directory keeps."""
TEMPORARY = ".tmp"
"""Ending of a file that is being written; nothing that loads looks for it."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, foreign or does not fit."""


class SaveError(RuntimeError):
    """A checkpoint could not be written; those that were there are as they were."""


class Checkpoint(NamedTuple):
    """A file's content: tensors by name and JSON state (config, projection, counters)."""

    path: Path
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    unusable: tuple[tuple[Path, str], ...] = ()
    """Newer checkpoints of the same run that were passed over, and why; to be told to the user."""

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
    restore_optimizer(checkpoint, optimizer)
    torch.set_rng_state(checkpoint.tensors["rng.cpu"])
    if torch.cuda.is_available() and "rng.cuda" in checkpoint.tensors:
        torch.cuda.set_rng_state(checkpoint.tensors["rng.cuda"])


def restore_optimizer(checkpoint: Checkpoint, optimizer: torch.optim.Optimizer) -> None:
    """Load the moments.

    Raises:
        CheckpointError: If they, or the random state that belongs to them, are missing.
    """
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


def save(path: Path, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint so that ``path`` always holds a whole one.

    The bytes go to a hidden file beside the target, are flushed to the disk and renamed onto it.

    Raises:
        SaveError: If it cannot be written, for want of space for instance. The old file is
            untouched and nothing half-written stays.
    """
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(state)
    content = safetensors.torch.save(
        kept, {"format": FORMAT, "version": VERSION, "state": text, "sha256": _digest(kept, text)}
    )
    write(path, content)


def write(path: Path, content: bytes) -> None:
    """Replace a file by ``content``, or leave it as it is.

    Raises:
        SaveError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise SaveError(f"{path} cannot be written: {error.strerror}") from error
    with suppress(OSError):  # some file systems cannot; the file is there all the same
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def load(path: Path, check: Callable[[Checkpoint], object] = lambda _: None) -> Checkpoint:
    """Read a checkpoint file, or the newest usable one of a run directory.

    Nothing is unpickled: the format is safetensors.

    Args:
        path: The file or directory.
        check: Raises CheckpointError for a checkpoint that does not fit the caller's program.

    Returns:
        The checkpoint; ``unusable`` tells which newer ones of the directory were passed over.

    Raises:
        CheckpointError: If there is none, or it is damaged, foreign, of another version or does
            not fit. For a directory: if that is true of all it holds.
    """
    try:
        is_run = path.is_dir()
    except OSError as error:  # a name that is too long, or no permission to look
        raise CheckpointError(f"{path}: {error.strerror}") from error
    if not is_run:
        return _read(path, check)
    unusable: list[tuple[Path, str]] = []
    for file in reversed(numbered(path)):
        try:
            return _read(file, check)._replace(unusable=tuple(unusable))
        except CheckpointError as error:
            unusable.append((file, str(error)))
    if unusable:
        reasons = "; ".join(reason for _, reason in unusable)
        raise CheckpointError(f"{reasons}; no older one is there")
    raise CheckpointError(f"{path}: holds no checkpoint")


def _read(path: Path, check: Callable[[Checkpoint], object]) -> Checkpoint:
    """``load`` for a file."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    try:
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
    text = metadata.get("state", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise CheckpointError(f"{path}: damaged, its checksum does not match")
    checkpoint = Checkpoint(path, tensors, json.loads(text))
    check(checkpoint)
    return checkpoint


def save_numbered(
    run_dir: Path, steps: int, tensors: Mapping[str, Tensor], state: dict[str, Any]
) -> Path:
    """Save as the latest checkpoint of a run; after that drop all but the newest ``KEPT``.

    Raises:
        SaveError: If it cannot be written; then none is dropped.
    """
    path = run_dir / "checkpoints" / f"steps_{steps:012d}.safetensors"
    save(path, tensors, state)
    for old in numbered(run_dir)[:-KEPT]:
        with suppress(OSError):  # the next save tries again
            old.unlink()
    return path


def save_best(run_dir: Path, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Save as the best checkpoint of a run.

    Raises:
        SaveError: If it cannot be written.
    """
    save(run_dir / "checkpoints" / "best.safetensors", tensors, state)


def numbered(run_dir: Path) -> list[Path]:
    """The checkpoints of a run directory by steps, oldest first, without the best."""
    return sorted((run_dir / "checkpoints").glob("steps_*.safetensors"))


def tidy(run_dir: Path, unusable: Iterable[Path]) -> None:
    """Delete what a killed run left half-written, and set unusable checkpoints aside.

    These stay in the directory under another name, so that they are neither loaded nor counted.
    """
    for orphan in (run_dir / "checkpoints").glob(f".*{TEMPORARY}"):
        orphan.unlink()
    for path in unusable:
        path.rename(path.with_suffix(".unusable"))


def _digest(tensors: Mapping[str, Tensor], state: str) -> str:
    """SHA-256 over the state and over every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _group(checkpoint: Checkpoint, prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {
        name.removeprefix(start): value
        for name, value in checkpoint.tensors.items()
        if name.startswith(start)
    }
