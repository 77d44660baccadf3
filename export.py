"""Take a trained policy elsewhere: as an ONNX file, or as a directory for the Hugging Face Hub."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cattrs
import numpy as np
import torch
import tyro
from rich.console import Console
from safetensors import SafetensorError

from agent import checkpoint as checkpoints
from agent.checkpoint import SaveError
from agent.deployed_config import DeployedConfig, EvaluationFacts, TrainingFacts
from agent.errors import UserError
from agent.writable import can_write
from envs import NUM_ACTIONS, OBSERVATION_SHAPE
from trained import Trained, load_trained

if TYPE_CHECKING:  # the package that it needs may be missing
    from agent.deployed import DeployedPolicy

OPSET = 18
"""Version of ONNX's operators; the one that PyTorch's exporter writes without converting."""
PACKAGES = {"onnx": ("huggingface_hub", "onnx", "onnxscript"), "hub": ("huggingface_hub",)}
"""Of the extra ``interop``: what each output needs."""


@dataclass(frozen=True)
class ExportConfig:
    """Take a trained policy elsewhere; give ``--onnx``, ``--hub`` or both."""

    checkpoint: Path
    """Checkpoint file, or a run directory (its latest checkpoint)."""
    onnx: Path | None = None
    """File for the policy as ONNX, ending in .onnx; replaced if it is there."""
    hub: Path | None = None
    """New directory for the policy as the Hugging Face Hub takes it: weights, config, card."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, its value and what is allowed."""
        if not (self.onnx or self.hub):
            raise UserError("onnx or hub must be given, got neither")
        if self.onnx and not (self.onnx.suffix == ".onnx" and can_write(self.onnx)):
            raise UserError(f"onnx must be a file .onnx that can be written, got {self.onnx}")
        if self.hub and (os.path.lexists(self.hub) or not can_write(self.hub)):
            raise UserError(f"hub must be a directory that is not there yet, got {self.hub}")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    2 for a user's mistake; 1 if a result cannot be written; 130 after Ctrl-C; else 0.
    """
    config = tyro.cli(ExportConfig, args=sys.argv[1:] if argv is None else argv)
    try:
        export(config)
    except (UserError, SaveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def export(config: ExportConfig) -> None:
    """Load, convert, write and say what was written.

    Raises:
        UserError: If a package is missing, or the checkpoint or its evaluation cannot be used.
        SaveError: If a result cannot be written.
    """
    for output, packages in PACKAGES.items():
        missing = [name for name in packages if not find_spec(name)]
        if getattr(config, output) and missing:
            raise UserError(f'{output} needs {", ".join(missing)}: pip install -e ".[interop]"')
    console = Console(soft_wrap=True, markup=False, highlight=False)
    trained = load_trained(config.checkpoint)
    for _, reason in trained.checkpoint.unusable:
        console.print(f"warning: {reason}")
    evaluation = read_evaluation(trained.checkpoint.path, trained.counters.steps)
    score = f"mean score {evaluation.mean:,.0f}" if evaluation else "not evaluated"
    console.print(f"{trained.checkpoint.path}: {trained.counters.steps:,} steps, {score}")
    policy = deployed(trained, evaluation)
    if config.onnx:
        content = to_onnx(policy)
        checkpoints.write(config.onnx, content)
        console.print(f"wrote {config.onnx}: ONNX, opset {OPSET}, {len(content) / 2**20:.1f} MiB")
    if config.hub:
        write_directory(policy, config.hub)
        names = ", ".join(sorted(path.name for path in config.hub.iterdir()))
        console.print(f"wrote {config.hub}: {names}")


def read_evaluation(checkpoint: Path, steps: int) -> EvaluationFacts | None:
    """What the run directory's ``evaluation.json`` says of a checkpoint.

    Args:
        checkpoint: Its file.
        steps: After so many agent steps.

    Returns:
        The facts; None if there is no evaluation, or it judged the policy at other steps.

    Raises:
        UserError: If the file cannot be read.
    """
    path = checkpoint.parent.parent / "evaluation.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text())
        if found["steps"] != steps:
            return None
        return cattrs.structure({**found, "std": float(np.std(found["scores"]))}, EvaluationFacts)
    except (OSError, ValueError, KeyError, TypeError, cattrs.BaseValidationError) as error:
        raise UserError(f"{path}: not an evaluation that train.py wrote") from error


def deployed(trained: Trained, evaluation: EvaluationFacts | None) -> "DeployedPolicy":
    """The policy of a checkpoint with all that belongs to it."""
    from agent.deployed import DeployedPolicy

    state: dict[str, Any] = trained.checkpoint.state
    counters, config = trained.counters, state["config"]
    training = TrainingFacts(
        algorithm=config["algorithm"],
        seed=config["seed"],
        steps=counters.steps,
        seconds=counters.seconds,
        reward_scale=config["ppo"]["reward_scale"],
        reward_clip=tuple(config["ppo"]["reward_clip"]),
        artifact_weight=trained.weights.artifact,
        artifact_recall=float(np.mean(counters.recall)) if counters.recall else None,
    )
    policy = DeployedPolicy(
        DeployedConfig(
            OBSERVATION_SHAPE,
            NUM_ACTIONS,
            trained.model.config,
            state["projection"],
            config["env"],
            training,
            evaluation,
        )
    )
    policy.network.load_state_dict(trained.model.state_dict())
    return policy.eval()


def to_onnx(policy: "DeployedPolicy") -> bytes:
    """A policy as an ONNX model of any batch size, checked.

    Its input is ``obs``, its outputs are named like the fields of ``PolicyOutput``, and the config
    stands in its metadata, each field as JSON under its name.
    """
    import onnx

    from agent.deployed import PolicyOutput

    obs = torch.zeros((2, *policy.config.obs_shape), dtype=torch.uint8)
    with quiet_exporter():
        program = torch.onnx.export(
            policy,
            (obs,),
            input_names=["obs"],
            output_names=PolicyOutput._fields,
            dynamic_shapes={"obs": {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            verbose=False,
        )
    assert program
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")  # stack traces, with paths of this machine
    for name, value in asdict(policy.config).items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


@contextmanager
def quiet_exporter() -> Generator[None]:
    """Keep back what PyTorch's exporter says to its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # that torchvision is not there
    with warnings.catch_warnings():
        # PyTorch copies its own description of arguments in a way that it deprecates.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        try:
            yield
        finally:
            logger.setLevel(level)


def write_directory(policy: "DeployedPolicy", path: Path) -> None:
    """Write a policy's directory, whole or not at all.

    Raises:
        SaveError: If it cannot be written.
    """
    try:
        with TemporaryDirectory(prefix=f".{path.name}", dir=path.parent) as temporary:
            written = Path(temporary) / path.name
            policy.save_pretrained(written)
            written.rename(path)
    except (OSError, SafetensorError) as error:
        raise SaveError(f"{path} cannot be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
