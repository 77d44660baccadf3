"""A checkpoint: one file of tensors and primitives, written whole or not at all, and checked."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from experiment.errors import UserError
from experiment.files import missing, write_file
from settings import from_json

FORMAT, VERSION = "knifesight-checkpoint", "22"
STEP = "step"
"""The moment that counts steps. A parameter that no loss has trained yet has this one alone, 0."""
T = TypeVar("T")


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, foreign or does not fit."""


class Checkpoint(NamedTuple):
    """A file's content: tensors by name and JSON state (config, projection, statistics)."""

    path: Path
    digest: str
    """SHA-256 of the content, whatever the file is called."""
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    unusable: tuple[tuple[Path, str], ...] = ()
    """Newer checkpoints of the same run that were passed over, and why; to be told to the user."""

    def read(self, kind: type[T], *keys: str) -> T:
        """The part of the state under ``keys`` as a dataclass.

        Raises:
            CheckpointError: If it is not there or has other fields than ``kind``; names them.
        """
        value: Any = self.state
        name = ".".join(keys)
        try:
            for key in keys:
                value = value[key]
            return from_json(value, kind)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{self.path}: it has no {name}") from error
        except ValueError as error:
            raise CheckpointError(
                f"{self.path}: its {name} does not fit this program: {error}"
            ) from error

    def check_made_with(self, sources: Mapping[str, Any]) -> None:
        """Raise CheckpointError unless the training saw the game through these ``sources``.

        Args:
            sources: As ``training_sources`` returns them.
        """
        trained: dict[str, Any] = self.state.get("sources", {})
        for name, here in sources.items():
            there = trained.get(name)
            if there != here:
                raise CheckpointError(
                    f"{self.path}: it was trained with {name} {there}, this program has {here}"
                )


def capture(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that training changes, by name: parameters, buffers, moments, random states.

    A GPU's random state is taken only if the model is on it: asking for it would start a GPU that
    the training does not use.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state = optimizer.state_dict()
    indices = [index for group in state["param_groups"] for index in group["params"]]
    for index in indices:
        moments = state["state"].get(index) or {STEP: torch.zeros(())}
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors["rng.cpu"] = torch.get_rng_state()
    device = device_of(model)
    if device.type == "cuda":
        tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def weights_alone(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What of a checkpoint it takes to play, in half precision: a sixth of its size."""
    return {
        name: value.half() if value.is_floating_point() else value
        for name, value in checkpoint.tensors.items()
        if name.startswith("model.")
    }


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put back what ``capture`` took.

    Raises:
        CheckpointError: If a tensor is missing or its shape is not the model's.
    """
    restore_model(checkpoint, model)
    restore_optimizer(checkpoint, optimizer)
    torch.set_rng_state(checkpoint.tensors["rng.cpu"])
    device = device_of(model)
    if device.type == "cuda" and "rng.cuda" in checkpoint.tensors:
        torch.cuda.set_rng_state(checkpoint.tensors["rng.cuda"], device)


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


def restore_optimizer(checkpoint: Checkpoint, optimizer: torch.optim.Optimizer) -> None:
    """Load the moments.

    Raises:
        CheckpointError: If they, or the random state that belongs to them, are missing.
    """
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _group(checkpoint, "optimizer").items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = value
    if not moments:
        raise CheckpointError(f"{checkpoint.path}: it holds weights alone, to play with")
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if moments.keys() != set(range(len(parameters))) or "rng.cpu" not in checkpoint.tensors:
        raise CheckpointError(
            f"{checkpoint.path}: its optimizer or random state does not fit this program"
        )
    # A file knows no memory layout, and fused Adam pairs moments with parameters by their place in
    # memory: moments of channels-last weights must be channels last again.
    moments = {index: moment for index, moment in moments.items() if moment.keys() != {STEP}}
    for index, moment in moments.items():
        parameter = parameters[index]
        for name, value in moment.items():
            if value.shape == parameter.shape:
                moment[name] = torch.empty_like(parameter, device="cpu").copy_(value)
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def restore_model(checkpoint: Checkpoint, model: nn.Module, name: str = "model") -> None:
    """Load parameters and buffers alone, for evaluation.

    Args:
        checkpoint: Where they are.
        model: The model, or a part of it.
        name: What their names begin with.

    Raises:
        CheckpointError: If a tensor is missing or its shape is not the model's.
    """
    found = _group(checkpoint, name)
    wanted = model.state_dict()
    for tensor in sorted(wanted.keys() | found.keys()):
        shapes = [tuple(side[tensor].shape) if tensor in side else None for side in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{checkpoint.path}: tensor {tensor} has shape {shapes[0]}, "
                f"the model needs {shapes[1]}"
            )
    model.load_state_dict(found)


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint so that ``path`` always holds a whole one.

    Raises:
        SaveError: If it cannot be written, for want of space for instance. The old file is
            untouched and nothing half-written stays.
    """
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(state)
    metadata = {"format": FORMAT, "version": VERSION, "state": text}
    metadata["sha256"] = _digest(kept, text)
    write_file(path, safetensors.torch.save(kept, metadata))


def read_checkpoint(
    path: Path, check: Callable[[Checkpoint], object] = lambda _: None
) -> Checkpoint:
    """Read a checkpoint file. Nothing is unpickled: the format is safetensors.

    Args:
        path: The file.
        check: Raises CheckpointError for a checkpoint that does not fit the caller's program.

    Raises:
        CheckpointError: If it is missing, damaged, foreign, of another version or does not fit.
    """
    if not path.is_file():
        found = "\0" not in str(path) and os.path.lexists(path)
        raise CheckpointError(
            f"{path}: no such checkpoint" + (f" ({missing(path)})" if found else "")
        )
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
            f"{path}: format version {metadata.get('version')}, this program reads {VERSION}; "
            "use the version of the program that wrote it, or train anew"
        )
    text = metadata.get("state", "")
    digest = _digest(tensors, text)
    if metadata.get("sha256") != digest:
        raise CheckpointError(f"{path}: damaged, its checksum does not match")
    checkpoint = Checkpoint(path, digest, tensors, json.loads(text))
    check(checkpoint)
    return checkpoint


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
