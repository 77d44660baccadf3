"""Who plays the recorded episodes: chance, a tourist who cannot die, a trained policy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent.actor_critic import act
from envs import GAME
from envs.gauges import GaugeReader
from envs.kung_fu_master import ram as truth
from experiment.command_line import ROOT
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.trained_agent import load_agent

AGENT_STEPS = 200_000
"""Agent steps for which ``trained_agent`` trains."""

Player = Callable[[Any, NDArray[np.uint8], bool], int]
"""Takes emulator, native screen (H, W, 3) and whether an episode starts here; returns an action."""


def random_player(rng: np.random.Generator) -> Player:
    """Chooses every action with the same probability."""

    def play(*_: object) -> int:
        return int(rng.integers(GAME.num_actions))

    return play


def tour_player(rng: np.random.Generator) -> Player:
    """Walks through the floors and cannot die."""
    right, left = 2, 3

    def play(emulator: Any, *_: object) -> int:
        ram = emulator.getRAM()
        # Once a boss is beaten the game turns health and time into points until none is left.
        if ram[truth.ENEMY_HEALTH] > 0:
            emulator.setRAM(truth.PLAYER_HEALTH, 39)
            emulator.setRAM(truth.LIVES, 3)
            if ram[truth.TIME] < 4:
                emulator.setRAM(truth.TIME, 16)
        if ram[truth.ENEMY] == truth.BOSS and ram[truth.ENEMY_HEALTH] > 6:
            emulator.setRAM(truth.ENEMY_HEALTH, 6)
        onward = left if ram[truth.FLOOR] % 2 else right
        return onward if rng.random() < 0.45 else int(rng.integers(GAME.num_actions))

    return play


def trained_player(run: Path, seed: int) -> Player:
    """The sampled policy of a run."""
    agent = load_agent(run)
    generator = torch.Generator().manual_seed(seed)
    gauges = GaugeReader(GAME.gauges, 1)
    only = np.zeros(1, np.int64)
    obs = np.zeros(GAME.obs_shape, np.uint8)

    def play(_: Any, screen: NDArray[np.uint8], start: bool) -> int:
        obs[:-1] = obs[1:]
        obs[-1] = agent.projection(screen[GAME.play_area][None])[0]
        if start:
            obs[:] = obs[-1]
            gauges.forget(only)
        info = {"gauges": gauges.read(screen[None], only).gauges[0]}
        return act(agent.model, [obs], [info], generator)[0]

    return play


def trained_agent(run_dir: Path) -> Path:
    """Train the default agent for ``AGENT_STEPS``, or resume its run; returns the run directory."""
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        "--run-dir",
        str(run_dir),
        "--evaluation-games",
        "0",
    ]
    command += (
        ["--resume"] if RunDirectory(run_dir).begun() else ["--total-steps", str(AGENT_STEPS)]
    )
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"agent could not be trained in {run_dir}; see above")
    return run_dir
