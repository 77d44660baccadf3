"""Take a trained policy elsewhere: as weights alone, as ONNX, as a directory for the Hub."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console

from experiment.checkpoint import Checkpoint, weights_alone, write_checkpoint
from experiment.command_line import exit_code, install_command
from experiment.errors import UserError
from experiment.files import why_not_writable, write_each, write_file
from experiment.run_directory import RunDirectory
from experiment.trained_agent import load_agent
from interop.policy_config import EvaluationFacts
from monitoring.console import make_console
from settings import Checked

if TYPE_CHECKING:
    from interop.policy import ExportedPolicy

PACKAGES = {"onnx": ("huggingface_hub", "onnx", "onnxscript"), "hub": ("huggingface_hub",)}
"""Packages of the extra ``interop`` that each output needs."""


@dataclass(frozen=True)
class ExportConfig(Checked):
    """Take a trained policy elsewhere; give ``--weights``, ``--onnx`` or ``--hub``, or several."""

    checkpoint: Path
    """Checkpoint file, or a run directory (its latest checkpoint)."""
    weights: Path | None = None
    """File for a small checkpoint, ending in .safetensors: half precision, a sixth of the size.
    ``evaluate.py`` plays it; no training can go on from it."""
    onnx: Path | None = None
    """File for the policy as ONNX, ending in .onnx; replaced if it is there."""
    hub: Path | None = None
    """New directory for the policy as the Hugging Face Hub takes it: weights, config, card."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, its value and what is allowed."""
        if not (self.weights or self.onnx or self.hub):
            raise UserError("weights, onnx or hub must be given, got none of them")
        super().__post_init__()
        for name, path, ending in (
            ("weights", self.weights, ".safetensors"),
            ("onnx", self.onnx, ".onnx"),
        ):
            if path and path.suffix != ending:
                raise UserError(f"{name} must end in {ending}, got {path}")
            if path and (why := why_not_writable(path)):
                raise UserError(f"{name} must be a file that can be written, got {path}: {why}")
        if self.hub and os.path.lexists(self.hub):
            raise UserError(f"hub must be a directory that is not there yet, got {self.hub}")
        if self.hub and (why := why_not_writable(self.hub)):
            raise UserError(f"hub must be a directory that can be made, got {self.hub}: {why}")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    2 for a user's mistake; 1 if a result cannot be written; 130 after Ctrl-C; else 0.
    """
    argv = sys.argv[1:] if argv is None else argv
    return exit_code(lambda: export(tyro.cli(ExportConfig, args=argv)))


def export(config: ExportConfig) -> None:
    """Load, convert, write and say what was written.

    Raises:
        UserError: If a package is missing or the checkpoint cannot be used.
        SaveError: If a result cannot be written.
    """
    for output, packages in PACKAGES.items():
        missing = [name for name in packages if not find_spec(name)]
        if getattr(config, output) and missing:
            raise UserError(f"{output} needs {', '.join(missing)}: {install_command('interop')}")
    console = make_console()
    agent = load_agent(config.checkpoint)
    if agent.config.model.autoencoder.mask_channel and (config.onnx or config.hub):
        raise UserError(
            "onnx and hub hold no detector, which an encoder with a mask channel needs; "
            "--weights exports it for evaluate.py"
        )
    for _, reason in agent.checkpoint.unusable:
        console.print(f"warning: {reason}")
    report = known_evaluation(agent.checkpoint, console)
    score = f"mean score {report.mean:,.0f}" if report else "not evaluated"
    console.print(f"{agent.checkpoint.path}: {agent.statistics.steps:,} steps, {score}")
    writes: list[Callable[[], object]] = []
    if config.weights:
        writes.append(partial(write_weights, agent.checkpoint, config.weights, console))
    if config.onnx or config.hub:
        from interop.policy import export_policy  # its packages may be missing

        policy = export_policy(agent, report)
        if config.onnx:
            writes.append(partial(write_onnx, policy, config.onnx, console))
        if config.hub:
            writes.append(partial(write_hub, policy, config.hub, console))
    write_each(writes)


def write_weights(checkpoint: Checkpoint, path: Path, console: Console) -> None:
    """Write what it takes to play and say so."""
    write_checkpoint(path, weights_alone(checkpoint), checkpoint.state)
    console.print(f"wrote {path}: weights alone, {path.stat().st_size / 2**20:.1f} MiB")


def write_onnx(policy: "ExportedPolicy", path: Path, console: Console) -> None:
    """Write a policy as ONNX and say so."""
    from interop.onnx import OPSET, to_onnx

    content = to_onnx(policy)
    write_file(path, content)
    console.print(f"wrote {path}: ONNX, opset {OPSET}, {len(content) / 2**20:.1f} MiB")


def write_hub(policy: "ExportedPolicy", path: Path, console: Console) -> None:
    """Write a policy as a directory for the Hugging Face Hub and say so."""
    from interop.hub import write_directory

    write_directory(policy, path)
    names = ", ".join(sorted(file.name for file in path.iterdir()))
    console.print(f"wrote {path}: {names}")


def known_evaluation(checkpoint: Checkpoint, console: Console) -> EvaluationFacts | None:
    """How a checkpoint scored, if its run has judged it; a file that does not fit is a warning."""
    run = RunDirectory.of(checkpoint.path)
    try:
        report = run.read_evaluation(checkpoint)
    except UserError as error:
        console.print(f"warning: {error}")
        return None
    try:
        return EvaluationFacts.of(report) if report else None
    except ValueError as error:
        console.print(f"warning: {run.evaluation} is {error}")
        return None


if __name__ == "__main__":
    sys.exit(main())
