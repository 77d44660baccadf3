"""Does it help an agent to begin with an encoder that was trained before?

Compared are the default, the default that begins with an autoencoder of its own kind, trained on
the pictures of random play, and a ResNet that was trained on photographs. Each of these two may
learn on or stay as it is. The arms with a ResNet have the time of the default, not its steps: their
number follows from a short training of either.

Example:
    python -m benchmarks.pretrained --json pretrained.json --weights open-nsfw.onnx
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import tyro

from benchmarks.arms import StudyConfig, run_study
from benchmarks.figures import figures_table
from encoders.resnet import BackboneName
from experiment.command_line import ROOT, check_output, exit_code
from experiment.config import Steps
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.weights_file import weights_file
from monitoring.console import print_table
from monitoring.scalars import scalars

NOT_ENCODER = (
    *("--model.gradients.policy", "actor", "--model.gradients.entropy", "actor"),
    *("--model.gradients.value", "critic"),
)
FROZEN = (*NOT_ENCODER, "--model.gradients.reconstruction", "--model.gradients.artifacts")
"""No loss trains any part of the autoencoder."""
SPEED = "speed/steps_per_second"
PROBE = 6
"""Updates of a training that tells its speed; the first is left out."""
SEED = 100
"""Of the pretraining and the probes."""


@dataclass(frozen=True)
class PretrainedConfig(StudyConfig):
    """Train agents that begin with an encoder that was trained before, and judge them."""

    weights: str = ""
    """Weights of the ResNet, as ``backbone_weights`` of a training; without them the arms with one
    are left out."""
    backbone: BackboneName = "open_nsfw"
    """Kind of the ResNet."""
    pretraining_steps: Steps = 200_000
    """Agent steps of random play on which an autoencoder is trained."""
    runs: Path = Path("runs/pretrained")
    """Directory of the runs: one directory for each arm, in it one for each seed."""


def main() -> None:
    """Pretrain, run the study, write the JSON and print the table."""
    config = tyro.cli(PretrainedConfig)
    check_output(config.json)
    if config.weights:
        weights_file(config.weights)
    print_table(figures_table(run_study("pretrained", config, make_arms(config))["arms"]))


def make_arms(config: PretrainedConfig) -> dict[str, Sequence[str]]:
    """Flags of ``train.py`` by the name of the arm; what they need is trained if it is not there.

    Raises:
        UserError: If a training fails.
    """
    steps = str(config.pretraining_steps)
    alone = "--ppo.autoencoder-steps", steps, "--total-steps", steps
    begin = "--autoencoder-from", str(train(config.runs / "autoencoder", alone))
    arms: dict[str, Sequence[str]] = {
        "default": (),
        "pretrained": begin,
        "pretrained_frozen": (*begin, *FROZEN),
    }
    if config.weights:
        resnet = "--model.autoencoder.encoder.backbone", config.backbone
        resnet = *resnet, "--backbone-weights", config.weights
        frozen = *resnet, "--model.autoencoder.encoder.frozen-backbone"
        default = speed(config.runs / "speed_default", ())
        for name, flags in {"resnet": resnet, "resnet_frozen": frozen}.items():
            share = speed(config.runs / f"speed_{name}", flags) / default
            own = max(1, round(share * config.steps))
            arms[name] = *flags, "--total-steps", str(own)
    return arms


def train(path: Path, flags: Sequence[str]) -> Path:
    """Train in a directory, or go on there, or find it done.

    Raises:
        UserError: If it fails.
    """
    command = [sys.executable, str(ROOT / "train.py"), "--run-dir", str(path)]
    command += ["--resume"] if RunDirectory(path).begun() else ["--seed", str(SEED), *flags]
    done = subprocess.run([*command, "--evaluation-games", "0"], check=False)
    if done.returncode:
        raise UserError(f"an encoder could not be trained in {path}")
    return path


def speed(path: Path, flags: Sequence[str]) -> float:
    """Agent steps a second of a short training: the median over its updates but the first."""
    short = "--num-envs", "32", "--ppo.num-steps", "64", "--total-steps", str(PROBE * 32 * 64)
    train(path, (*flags, *short))
    rates = [at.value for at in scalars(RunDirectory(path).tensorboard, [SPEED])[SPEED]]
    return median(rates[1:])


if __name__ == "__main__":
    sys.exit(exit_code(main))
