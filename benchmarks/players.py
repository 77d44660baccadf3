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
from envs import KUNG_FU_MASTER as GAME
from envs.gauge_reader import GaugeReader
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


class ScriptedDodger:
    """Walks left, punches and dodges knives, all from the RAM.

    Ducking dodges a high knife, jumping in time a low one. A punch needs the button anew.
    """

    UP, DOWN, LEFT, RIGHT, PUNCH_RIGHT, PUNCH_LEFT = 1, 4, 3, 2, 12, 13
    NEAR, FAR = 4, 30
    """Pixels between a low knife and the player at which he jumps, and between which."""

    def __init__(self) -> None:
        """Begin with a punch."""
        self._punched = False

    def act(self, ram: NDArray[np.uint8]) -> int:
        """The action after the RAM (128,) uint8."""
        player = truth.player_x(ram)
        knife = truth.projectile(ram)
        if knife and self._comes(knife, ram, player):
            if knife.top < truth.LOW:
                return self.DOWN
            if self.NEAR <= knife.distance(player) <= self.FAR:
                return self.UP
        self._punched = not self._punched
        if ram[truth.ENEMY] == truth.THROWER and int(ram[truth.ENEMY_X]) - 54 > player:
            return self.PUNCH_RIGHT if self._punched else self.RIGHT
        return self.PUNCH_LEFT if self._punched else self.LEFT

    @staticmethod
    def _comes(knife: truth.Box, ram: NDArray[np.uint8], player: int) -> bool:
        """Whether the player is where the thrower aims."""
        thrower = int(ram[truth.ENEMY_X]) - 54
        return (knife.left + 2 - player) * (thrower - player) >= 0


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
