"""Judge trained agents: whole games, raw scores, what explains them, a window or a video."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from gymnasium.wrappers import HumanRendering
from rich.console import Console

from envs import make_logged_envs
from evaluation.evaluate_agent import evaluate_agent
from evaluation.games import EVALUATION_SEED, MAX_PARALLEL
from evaluation.report import Report
from evaluation.tables import markdown, show
from evaluation.video import VideoRecorder
from experiment.allocator import keep_freed_memory
from experiment.command_line import exit_code, install_command
from experiment.errors import UserError
from experiment.files import why_not_writable, write_each, write_file, write_json
from experiment.trained_agent import TrainedAgent, load_agent
from monitoring.agent_view import AgentView
from monitoring.console import make_console
from settings import Checked, Within


@dataclass(frozen=True)
class EvaluateConfig(Checked):
    """Judge trained agents on whole games.

    With several checkpoints their figures stand side by side, with intervals.
    """

    checkpoint: tuple[Path, ...]
    """Checkpoint files or run directories (their latest checkpoint); one or more."""
    episodes: Annotated[int, Within(1, 10_000)] = 30
    """Whole games to play with each."""
    seed: Annotated[int, Within(0, 2**31 - MAX_PARALLEL - 1)] = EVALUATION_SEED
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
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if not self.checkpoint:
            raise UserError("checkpoint must be one path or more, got none")
        if len(self.checkpoint) > 1 and (self.video or self.watch):
            raise UserError(f"video and watch need one checkpoint, got {len(self.checkpoint)}")
        if self.video and self.video.suffix != ".mp4":
            raise UserError(f"video must end in .mp4, got {self.video}")
        for name in ("json", "markdown", "video"):
            path: Path | None = getattr(self, name)
            if path and (why := why_not_writable(path)):
                raise UserError(f"{name} must be a file that can be written, got {path}: {why}")
        paths = [path.absolute() for path in (self.json, self.markdown, self.video) if path]
        if len(set(paths)) < len(paths):
            raise UserError("json, markdown and video must be different files, got one twice")


def check_display() -> None:
    """Raise UserError unless a window can be opened."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame  # a Gymnasium window needs it, nothing else does
    except ImportError as error:
        raise UserError(f"watch needs pygame: {install_command('watch')}") from error
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
    except pygame.error as error:
        raise UserError(f"watch needs a display ({error}); use --video instead") from error
    if driver in ("dummy", "offscreen"):
        raise UserError("watch needs a display, here is none; use --video instead")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code.

    2 for a user's mistake; 1 if a result cannot be written; 130 after Ctrl-C; else 0.
    """
    argv = sys.argv[1:] if argv is None else argv

    def command() -> None:
        if sum(flag.partition("=")[0] == "--checkpoint" for flag in argv) > 1:
            raise UserError("checkpoint must be given once, with all paths behind it")
        evaluate(tyro.cli(EvaluateConfig, args=argv))

    return exit_code(command)


def evaluate(config: EvaluateConfig) -> None:
    """Load, play, write and print.

    Raises:
        UserError: If a checkpoint cannot be used or no window be opened.
        SaveError: If a result cannot be written.
    """
    if config.watch:
        check_display()
    keep_freed_memory()
    agents = [load_agent(path) for path in config.checkpoint]
    played = sorted({agent.config.env.game for agent in agents})
    if len(played) > 1:
        raise UserError(f"checkpoint must be of one game, got some of {' and '.join(played)}")
    console = make_console()
    for agent in agents:
        for _, reason in agent.checkpoint.unusable:
            console.print(f"warning: {reason}")
    with ExitStack() as cleanup:
        writes: list[Callable[[], object]] = []
        reports: list[Report] = []
        for agent, path in zip(agents, config.checkpoint, strict=True):
            envs, recorder = open_games(agent, config, console)
            for env in envs or ():
                cleanup.callback(env.close)
            console.print(f"{agent.checkpoint.path}: playing {config.episodes} whole games ...")
            if recorder:
                writes.append(recorder.save)
            try:
                reports.append(evaluate_agent(agent, str(path), config.episodes, config.seed, envs))
            except KeyboardInterrupt:  # what was filmed until then is a video, too
                write_each(writes)
                raise
        if path := config.json:
            writes.append(partial(write_json, path, reports))
        if path := config.markdown:
            writes.append(partial(write_file, path, markdown(reports).encode()))
        try:
            write_each(writes)
        finally:  # a file that cannot be written must not hide the scores
            show(reports)


def open_games(
    agent: TrainedAgent, config: EvaluateConfig, console: Console
) -> tuple[list[Any] | None, VideoRecorder | None]:
    """The games for an agent, the first filmed or in a window; None if nothing is to be seen."""
    if not (config.video or config.watch):
        return None, None
    parallel = 1 if config.watch else min(config.episodes, MAX_PARALLEL)
    envs: list[Any] = [*make_logged_envs(agent.config.env, agent.projection, parallel)]
    recorder = None
    envs[0] = AgentView(envs[0], agent.model, agent.finder, agent.config.weights)
    if config.video:
        envs[0] = recorder = VideoRecorder(envs[0], config.video, console.print)
    if config.watch:
        envs[0] = HumanRendering(envs[0])
    return envs, recorder


if __name__ == "__main__":
    sys.exit(main())
