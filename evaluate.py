"""Judge a trained agent: whole games, raw scores, and a video of what it sees."""

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import cattrs
import imageio.v2 as imageio
import numpy as np
import torch
import tyro
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from rich.console import Console

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.checkpoint import Checkpoint
from agent.counters import Counters
from agent.errors import UserError
from agent.evaluation import EVALUATION_SEED, MAX_PARALLEL, play_games, report, score_table
from agent.memory import keep_freed_memory
from agent.pictures import video_frame
from encoders import (
    ArtifactDetector,
    ArtifactDetectorConfig,
    ArtifactWeightsConfig,
    pixel_weights,
)
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, EnvConfig, Projection, make_halves

FRAMES_PER_SECOND = 15
"""Of the video: 60 emulator frames a second, four to an agent step."""


@dataclass(frozen=True)
class EvaluateConfig:
    """Judge a trained agent on whole games of Kung-Fu Master."""

    checkpoint: Path
    """Checkpoint file, or a run directory (its latest checkpoint)."""
    episodes: int = 30
    """Whole games to play."""
    seed: int = EVALUATION_SEED
    """Seed of the games and of action sampling."""
    json: Path | None = None
    """File for the result."""
    video: Path | None = None
    """File for a video of the first game, ending in .mp4: game, observation, reconstruction and
    weight map side by side."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, its value and what is allowed."""
        if not 1 <= self.episodes <= 10_000:
            raise UserError(f"episodes must be from 1 to 10000, got {self.episodes}")
        if not 0 <= self.seed < 2**31 - MAX_PARALLEL:
            raise UserError(f"seed must be from 0 to {2**31 - MAX_PARALLEL - 1}, got {self.seed}")
        if self.video and self.video.suffix != ".mp4":
            raise UserError(f"video must end in .mp4, got {self.video}")
        for name in ("json", "video"):
            path: Path | None = getattr(self, name)
            if path and not can_write(path):
                raise UserError(f"{name} must be a file that can be written, got {path}")


def can_write(path: Path) -> bool:
    """Whether a file can be made or replaced at ``path``, without touching it."""
    if "\0" in str(path):
        return False
    try:
        target = path if os.path.lexists(path) else path.parent
        return os.access(target, os.W_OK) and path.parent.is_dir() and not path.is_dir()
    except OSError:  # a name that is too long
        return False


class Recorder:
    """Writes the first environment's first game as a video."""

    def __init__(
        self,
        path: Path,
        envs: VectorEnv[Any, Any, Any],
        model: ActorCritic,
        detector: ArtifactDetector,
        weights: ArtifactWeightsConfig,
    ) -> None:
        """Open ``path`` for H.264 in MP4."""
        self._envs, self._model, self._detector = envs, model, detector
        self._weights = weights
        self._writer = imageio.get_writer(
            path, fps=FRAMES_PER_SECOND, codec="libx264", macro_block_size=2
        )

    def step(self, obs: NDArray[np.uint8], finished: list[int]) -> None:
        """Add a frame while the first environment plays its first game."""
        if finished[0]:
            return
        screens = cast(tuple[NDArray[np.uint8], ...], self._envs.render())
        newest = obs[0, -1:]
        regions = torch.from_numpy(self._detector(newest))[None]
        weights = pixel_weights(regions, self._weights)[0, 0] / self._weights.artifact
        reconstruction = self._model.reconstruct(torch.from_numpy(obs[:1]))[0, -1]
        frame = video_frame(screens[0], newest[0], reconstruction.numpy(), weights.numpy())
        self._writer.append_data(frame)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0, or 2 for a user's mistake."""
    config = tyro.cli(EvaluateConfig, args=sys.argv[1:] if argv is None else argv)
    try:
        evaluate(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


class Trained(NamedTuple):
    """What a checkpoint holds for somebody who wants to play."""

    model: ActorCritic
    env: EnvConfig
    projection: Projection
    detector: ArtifactDetector
    weights: ArtifactWeightsConfig
    counters: Counters


def trained(checkpoint: Checkpoint) -> Trained:
    """Build what ``checkpoint`` holds.

    Raises:
        CheckpointError: If it does not fit.
    """
    model_config = checkpoint.read(ActorCriticConfig, "config", "model")
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, model_config)
    checkpoints.restore_model(checkpoint, model)
    return Trained(
        model,
        checkpoint.read(EnvConfig, "config", "env"),
        checkpoint.read(Projection, "projection"),
        ArtifactDetector(checkpoint.read(ArtifactDetectorConfig, "config", "detector")),
        checkpoint.read(ArtifactWeightsConfig, "config", "weights"),
        checkpoint.read(Counters, "counters"),
    )


def evaluate(config: EvaluateConfig) -> None:
    """Load, play, print and write.

    Raises:
        UserError: If the checkpoint cannot be used.
    """
    keep_freed_memory()
    checkpoint = checkpoints.load(config.checkpoint, trained)
    model, env_config, projection, detector, weights, counters = trained(checkpoint)
    console = Console(soft_wrap=True, markup=False)
    for _, reason in checkpoint.unusable:
        console.print(f"warning: {reason}", highlight=False)
    envs = make_halves(env_config, projection, min(config.episodes, MAX_PARALLEL))
    with ExitStack() as cleanup:
        for half in envs:
            cleanup.callback(half.close)
        on_step = None
        if config.video:
            recorder = Recorder(config.video, envs[0], model, detector, weights)
            cleanup.callback(recorder.close)
            on_step = recorder.step
        console.print(f"{checkpoint.path}: playing {config.episodes} whole games ...")
        started = time.monotonic()
        episodes = play_games(envs, model, config.episodes, config.seed, on_step)
        seconds = time.monotonic() - started
    result = report(episodes, config.seed, seconds, cattrs.unstructure(counters))
    console.print(score_table(result))
    if config.json:
        config.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
