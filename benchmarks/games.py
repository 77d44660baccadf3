"""What is found, and what is kept, of the small objects of ten games? No setting differs.

Every game is played by chance. The detector and the projection are those that ``train.py`` makes.
Two autoencoders learn from the same frames, the default and one with the uniform loss and no
tracks. The judge reads from the game's RAM where balls, shots and missiles are.

Example:
    python -m benchmarks.games --json benchmarks/results/games.json
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import imageio.v2 as imageio
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from benchmarks.game_scene import GameScene, game_scene
from benchmarks.object_fidelity import detection, fidelity
from benchmarks.provenance import provenance
from benchmarks.reconstruction import summary
from benchmarks.remedies import REMEDIES
from benchmarks.remedy_training import BATCH, draw_newest, encode, train_autoencoder
from benchmarks.scene import detect
from benchmarks.small_objects import SMALL_OBJECTS
from encoders import RegionFinder, make_finder
from envs import EnvConfig, calibrate, find_game, game_of
from experiment.allocator import keep_freed_memory
from experiment.command_line import check_output, exit_code
from experiment.config import ANY_GAME, TrainConfig
from experiment.files import write_json
from experiment.random_play import complete
from monitoring.console import make_console, print_table
from monitoring.pictures import outlined, side_by_side, titled
from settings import Checked, Seed, Within

ARMS = ("default", "uniform")
"""Remedies that are compared."""
TRAIN_SEED, TEST_SEED = 0, 1_000_000
"""Of the first episode of what trains and of what judges."""
COSTED = 4096
"""Observations whose detection is timed at most."""
PICTURED = 3
"""Test frames in a picture."""


@dataclass(frozen=True)
class GamesConfig(Checked):
    """Judge the detector, and train and judge autoencoders, in several games."""

    json: Path = Path("games.json")
    """File for the result, written after every game; the pictures go into the directory beside it
    that has its name without the suffix."""
    games: tuple[str, ...] = tuple(SMALL_OBJECTS)
    """Games of whose small objects the RAM tells."""
    samples: Annotated[int, Within(0, 10**9)] = 64_000
    """Observations that each autoencoder is trained on, and frames to draw them from; 0 judges the
    detector alone."""
    frames: Annotated[int, Within(8, 10**6)] = 8_000
    """Frames that judge."""
    seeds: tuple[Seed, ...] = (1,)
    """Seeds of each autoencoder."""
    add: bool = False
    """Keep the games that the file holds, and judge only those that it lacks."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        for game in self.games:
            if game not in SMALL_OBJECTS:
                raise ValueError(f"games must be of {', '.join(SMALL_OBJECTS)}, got {game}")
        if 0 < self.samples < BATCH:
            raise ValueError(f"samples must be 0 or at least {BATCH}, got {self.samples}")


class Outcome(NamedTuple):
    """The result of one game."""

    figures: dict[str, Any]
    picture: NDArray[np.uint8]
    """RGB."""


def main() -> None:
    """Judge game after game, write JSON and pictures, print the table."""
    config = tyro.cli(GamesConfig)
    check_output(config.json)
    result: dict[str, Any] = {
        **provenance("games"),
        "samples": config.samples,
        "frames": config.frames,
        "seeds": list(config.seeds),
        "settings": vars(ANY_GAME),
        "games": {},
    }
    if config.add and config.json.exists():
        result["games"] = json.loads(config.json.read_text())["games"]
    todo = [game for game in config.games if game not in result["games"]]
    pictures = config.json.with_suffix("")
    pictures.mkdir(parents=True, exist_ok=True)
    workers = max(1, min(len(os.sched_getaffinity(0)), len(todo)))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _begin) as pool:
        jobs = {pool.submit(judge_game, config, game): game for game in todo}
        for job in as_completed(jobs):
            game, outcome = jobs[job], job.result()
            result["games"][game] = outcome.figures
            ordered = {
                game: result["games"][game] for game in SMALL_OBJECTS if game in result["games"]
            }
            write_json(config.json, {**result, "games": ordered})
            imageio.imwrite(pictures / f"{game}.png", outcome.picture)
            make_console().print(f"{find_game(game).title} is judged")
    show(result)


def _begin() -> None:
    """Set up one of the processes; there is one for each core, so it has one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()


def judge_game(config: GamesConfig, rom: str) -> Outcome:
    """Everything that is asked of one game."""
    training = complete(TrainConfig(env=EnvConfig(game=rom), detector=ANY_GAME))
    projection = calibrate(training.env, training.game_seed(0))
    finder = make_finder(training.detector, projection)
    game = game_of(training.env)
    test = game_scene(game, projection, finder, config.frames, TEST_SEED)
    figures: dict[str, Any] = {
        "play_area": [*game.rows, *game.columns],
        "objects": len(test.objects),
        "merged": test.merged,
        "resting": test.resting,
        **detection(detect(finder.pixels, test.scene.frames, test.scene.stacks), test.objects),
        "microseconds_per_frame": cost(finder, test),
        "compromises": list(projection.compromises),
    }
    views = {"input": test.scene.frames}
    if config.samples:
        train = game_scene(game, projection, finder, config.samples, TRAIN_SEED)
        figures["train_frames_with_artifact"] = float(train.scene.regions.any(axis=(1, 2)).mean())
        for arm in ARMS:
            runs: list[dict[str, float | None]] = []
            for seed in config.seeds:
                model, std, _ = train_autoencoder(train.scene, REMEDIES[arm], seed, config.samples)
                drawn = draw_newest(model, encode(model, test.scene))
                runs.append(fidelity(test, drawn, std, finder))
                views.setdefault(arm, drawn.round().clip(0, 255).astype(np.uint8))
            figures[arm] = summary(runs)
    return Outcome(figures, picture(test, views))


def cost(finder: RegionFinder, test: GameScene) -> float:
    """Microseconds per new frame on one core: the median over batches of 32."""
    times: list[float] = []
    for start in range(0, min(len(test.scene.stacks), COSTED) - BATCH + 1, BATCH):
        obs = test.scene.frames[test.scene.stacks[start : start + BATCH]]
        begun = time.perf_counter()
        finder(obs)
        times.append((time.perf_counter() - begun) / BATCH)
    return float(np.median(times) * 1e6)


def picture(test: GameScene, views: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Test frames with an object, as input and through each autoencoder, detections outlined."""
    steps = [seen.step for seen in test.objects] or list(range(len(test.scene.frames)))
    chosen = [steps[len(steps) * (2 * n + 1) // (2 * PICTURED)] for n in range(PICTURED)]
    columns = [
        titled(name, np.vstack([outlined(frames[t], test.scene.regions[t]) for t in chosen]))
        for name, frames in views.items()
    ]
    return side_by_side(columns)


def show(result: dict[str, Any]) -> None:
    """Print the figures of every game."""
    names = ("objects", "precision", "recall", "us a frame")
    kept = ("kept", "kept, uniform", "ghosts", "background") if result["samples"] else ()
    table = Table("", *names, *kept, box=SIMPLE, padding=(0, 1, 0, 0))
    for rom, figures in result["games"].items():
        cells = [f"{figures['objects']:,}", *(_share(figures[name]) for name in names[1:3])]
        cells.append(f"{figures['microseconds_per_frame']:.0f}")
        if "default" in figures:
            default, uniform = (figures[arm] for arm in ARMS)
            cells += [_share(arm["recall"]["mean"]) for arm in (default, uniform)]
            cells.append(_share(default["ghost_rate"]["mean"]))
            ratio = default["background_mse"]["mean"] / uniform["background_mse"]["mean"]
            cells.append(f"{ratio:.3f}")
        table.add_row(find_game(rom).title, *cells)
    print_table(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


if __name__ == "__main__":
    sys.exit(exit_code(main))
