"""Frames of random play of any game, as an encoder sees them, and the truth about small objects."""

from typing import Any, NamedTuple

import ale_py
import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from benchmarks.scene import Scene, detect
from benchmarks.small_objects import SMALL_OBJECTS, visible
from encoders import RegionFinder
from envs import STACK, Projection
from envs.game import Game

CHUNK = 1024
"""Steps that are looked at together."""


class Seen(NamedTuple):
    """A small object that can be seen."""

    step: int
    """In whose newest frame it is."""
    own: NDArray[np.bool_]
    """(H, W), its pixels."""


class GameScene(NamedTuple):
    """Frames with their detections and their truth; T agent steps."""

    scene: Scene
    """Frames, stacks and regions; no knives."""
    objects: list[Seen]
    """Every small object that can be seen, in order."""
    merged: int
    """Objects that touch something of their own colour, and so cannot be told from it."""
    resting: int
    """Objects that have not moved for three steps."""


def game_scene(
    game: Game, projection: Projection, finder: RegionFinder, steps: int, first_seed: int
) -> GameScene:
    """Let a game be played by chance for some steps; episode n has seed ``first_seed`` + n."""
    gym.register_envs(ale_py)
    env: Any = gym.make(game.ale_id)
    emulator = env.unwrapped.ale
    rng = np.random.default_rng(first_seed)
    screens = np.empty((steps, *game.screen), np.uint8)
    ram = np.empty((steps, 128), np.uint8)
    starts = np.zeros(steps, np.bool_)
    palette = np.zeros((256, 3), np.uint8)
    rgb, over = None, True
    for t in range(steps):
        if over:
            rgb, _ = env.reset(seed=first_seed + int(starts.sum()))
        assert rgb is not None
        starts[t] = over
        screens[t], ram[t] = emulator.getScreen(), emulator.getRAM()
        palette[screens[t]] = rgb
        rgb, _, terminated, truncated, _ = env.step(rng.integers(env.action_space.n))
        over = terminated or truncated
    env.close()
    rows = np.arange(steps)
    begun = np.maximum.accumulate(np.where(starts, rows, 0))
    stacks = np.maximum(rows[:, None] + np.arange(1 - STACK, 1), begun[:, None])
    levels = projection(palette[None, :, None])[0, :, 0]
    frames = levels[screens[:, *game.play_area]]
    regions = detect(finder, frames, stacks)
    known = Scene(frames, stacks, regions, [], np.zeros(steps, np.int64))
    return GameScene(known, *_objects(game, screens, ram, stacks))


def _objects(
    game: Game, screens: NDArray[np.uint8], ram: NDArray[np.uint8], stacks: NDArray[np.int64]
) -> tuple[list[Seen], int, int]:
    """The small objects that can be seen, and how many are merged or resting."""
    found: list[Seen] = []
    merged = resting = 0
    for thing in SMALL_OBJECTS[game.rom]:
        for start in range(0, len(screens), CHUNK):
            # With the steps before, because an object's motion is seen in them.
            first = int(stacks[start].min())
            part = slice(first, start + CHUNK)
            own = thing.pixels(screens[part], ram[part])
            outside = np.ones(game.screen, np.bool_)
            outside[game.play_area] = False
            own[:, outside] = False
            of_part = np.maximum(stacks[part] - first, 0)
            told = visible(own, screens[part], of_part)
            new = slice(start - first, None)
            merged += int(told.merged[new].sum())
            resting += int(told.resting[new].sum())
            found += [
                Seen(first + int(t), own[t][game.play_area])
                for t in np.flatnonzero(told.seen)
                if t >= start - first
            ]
    return sorted(found, key=lambda one: one.step), merged, resting
