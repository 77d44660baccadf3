"""Judge trained agents: whole games, raw scores, what explains them, a window or a video."""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs
import gymnasium as gym
import imageio.v2 as imageio
import tyro
from gymnasium.wrappers import HumanRendering
from rich.console import Console

from agent import checkpoint as checkpoints
from agent.checkpoint import SaveError
from agent.errors import UserError
from agent.evaluation import EVALUATION_SEED, MAX_PARALLEL, play_games
from agent.memory import keep_freed_memory
from agent.report import Report, markdown, report, table
from agent.seen import SeenGame
from agent.writable import can_write
from envs import make_games
from trained import Trained, load_trained


@dataclass(frozen=True)
class EvaluateConfig:
    """Judge trained agents on whole games of Kung-Fu Master.

    With several checkpoints their figures stand side by side, with intervals.
    """

    checkpoint: tuple[Path, ...]
    """Checkpoint files or run directories (their latest checkpoint); one or more."""
    episodes: int = 30
    """Whole games to play with each."""
    seed: int = EVALUATION_SEED
    """Seed of the games and of action sampling."""
    json: Path | None = None
    """File for the result: a list, one object for each checkpoint."""
    markdown: Path | None = None
    """File for the result as a page of Markdown."""
    video: Path | None = None
    """File for a video of the first game, ending in .mp4 (H.264): game, observation, reconstruction
    and weight map side by side. For one checkpoint."""
    watch: tyro.conf.FlagCreatePairsOff[bool] = False
    """Play one game after the other in a window, in real time, with the same pictures. For one
    checkpoint; Ctrl-C ends it."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, its value and what is allowed."""
        if not self.checkpoint:
            raise UserError("checkpoint must be one path or more, got none")
        if len(self.checkpoint) > 1 and (self.video or self.watch):
            raise UserError(f"video and watch need one checkpoint, got {len(self.checkpoint)}")
        if not 1 <= self.episodes <= 10_000:
            raise UserError(f"episodes must be from 1 to 10000, got {self.episodes}")
        if not 0 <= self.seed < 2**31 - MAX_PARALLEL:
            raise UserError(f"seed must be from 0 to {2**31 - MAX_PARALLEL - 1}, got {self.seed}")
        if self.video and self.video.suffix != ".mp4":
            raise UserError(f"video must end in .mp4, got {self.video}")
        for name in ("json", "markdown", "video"):
            path: Path | None = getattr(self, name)
            if path and not can_write(path):
                raise UserError(f"{name} must be a file that can be written, got {path}")


def check_display() -> None:
    """Raise UserError unless a window can be opened."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame  # a Gymnasium window needs it, nothing else does
    except ImportError as error:
        raise UserError('watch needs pygame: pip install -e ".[watch]"') from error
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
    except pygame.error as error:
        raise UserError(f"watch needs a display ({error}); use --video instead") from error
    if driver in ("dummy", "offscreen"):
        raise UserError("watch needs a display, here is none; use --video instead")


class Recorded(gym.Wrapper[Any, Any, Any, Any]):
    """Writes the first game of an environment as H.264 in MP4, which browsers play."""

    def __init__(
        self, env: SeenGame, path: Path, frames_per_second: float, warn: Callable[[str], object]
    ) -> None:
        """Open ``path``; if it cannot be written later, ``warn`` is told and the game goes on."""
        super().__init__(env)
        self._path, self._warn = path, warn
        self._writer: Any = imageio.get_writer(
            path, fps=frames_per_second, codec="libx264", pixelformat="yuv420p", macro_block_size=2
        )

    def step(self, action: Any) -> Any:
        """As in Gymnasium; adds a frame until the first game is over."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if self._writer:
            try:
                self._writer.append_data(self.env.render())
            except OSError as error:
                self._writer = None
                self._warn(f"warning: the video {self._path} ends here: {error}")
            if terminated or truncated:
                self.finish()
        return obs, reward, terminated, truncated, info

    def finish(self) -> None:
        """Finish the file."""
        if self._writer:
            self._writer.close()
            self._writer = None


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    2 for a user's mistake; 1 if a result cannot be written; 130 after Ctrl-C; else 0.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        if sum(flag.partition("=")[0] == "--checkpoint" for flag in argv) > 1:
            raise UserError("checkpoint must be given once, with all paths behind it")
        evaluate(tyro.cli(EvaluateConfig, args=argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except SaveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def evaluate(config: EvaluateConfig) -> None:
    """Load, play, print and write.

    Raises:
        UserError: If a checkpoint cannot be used or no window be opened.
        SaveError: If a result cannot be written.
    """
    if config.watch:
        check_display()
    keep_freed_memory()
    agents = [load_trained(path) for path in config.checkpoint]
    console = Console(soft_wrap=True, markup=False)
    for agent in agents:
        for _, reason in agent.checkpoint.unusable:
            console.print(f"warning: {reason}", highlight=False)
    reports = [
        judge(agent, path, config, console)
        for agent, path in zip(agents, config.checkpoint, strict=True)
    ]
    console.print(table(reports))
    if config.json:
        checkpoints.write(config.json, (json.dumps(reports, indent=2) + "\n").encode())
    if config.markdown:
        checkpoints.write(config.markdown, markdown(reports).encode())


def judge(agent: Trained, path: Path, config: EvaluateConfig, console: Console) -> Report:
    """Let one agent play; returns its report."""
    console.print(f"{agent.checkpoint.path}: playing {config.episodes} whole games ...")
    parallel = 1 if config.watch else min(config.episodes, MAX_PARALLEL)
    envs: list[Any] = [*make_games(agent.env, agent.projection, parallel)]
    with ExitStack() as cleanup:
        for env in envs:
            cleanup.callback(env.close)
        if config.video or config.watch:
            envs[0] = SeenGame(envs[0], agent.model, agent.detector, agent.weights)
        if config.video:
            rate = envs[0].metadata["render_fps"]
            envs[0] = Recorded(envs[0], config.video, rate, console.print)
            cleanup.callback(envs[0].finish)
        if config.watch:
            envs[0] = HumanRendering(envs[0])
            cleanup.callback(envs[0].close)
        started = time.monotonic()
        games = play_games(envs, agent.model, config.episodes, config.seed)
        seconds = time.monotonic() - started
    counters = cattrs.unstructure(agent.counters)
    return report(games, str(path), config.seed, seconds, counters)


if __name__ == "__main__":
    sys.exit(main())
