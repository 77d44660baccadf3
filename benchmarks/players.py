"""Who plays the recorded episodes: chance, a tourist who cannot die, a trained policy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.errors import UserError
from envs import NUM_ACTIONS, OBSERVATION_SHAPE, Projection
from envs import ground_truth as truth

AGENT_STEPS = 200_000
"""Agent steps for which ``trained_agent`` trains."""

Player = Callable[[Any, NDArray[np.uint8], bool], int]
"""Emulator, play area (64, 144, 3) and whether an episode starts here, to an action."""


def random_player(rng: np.random.Generator) -> Player:
    """Every action is as likely as any other."""

    def play(*_: object) -> int:
        return int(rng.integers(NUM_ACTIONS))

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
        return onward if rng.random() < 0.45 else int(rng.integers(NUM_ACTIONS))

    return play


def trained_player(run: Path, seed: int) -> Player:
    """The sampled policy of a run."""
    checkpoint = checkpoints.load(run)
    projection = checkpoint.read(Projection, "projection")
    model_config = checkpoint.read(ActorCriticConfig, "config", "model")
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, model_config)
    checkpoints.restore_model(checkpoint, model)
    generator = torch.Generator().manual_seed(seed)
    obs = np.zeros(OBSERVATION_SHAPE, np.uint8)

    @torch.no_grad()
    def play(_: Any, area: NDArray[np.uint8], start: bool) -> int:
        obs[:-1] = obs[1:]
        obs[-1] = projection(area[None])[0]
        if start:
            obs[:] = obs[-1]
        policy = model(torch.from_numpy(obs[None])).policy
        return int(torch.multinomial(policy.probs[0], 1, generator=generator))

    return play


def trained_agent(run_dir: Path) -> Path:
    """Train the default agent for ``AGENT_STEPS``, or go on with it; returns its run directory."""
    command = [sys.executable, "train.py", "--run-dir", str(run_dir), "--evaluation-games", "0"]
    started = any((run_dir / "checkpoints").glob("steps_*"))
    command += ["--resume"] if started else ["--total-steps", str(AGENT_STEPS)]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"agent could not be trained in {run_dir}; see above")
    return run_dir
