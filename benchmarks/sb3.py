"""The yardstick: Stable-Baselines3's A2C and PPO with their Atari defaults, until interrupted.

The settings are those of RL Baselines3 Zoo, ``hyperparams/a2c.yml`` and ``ppo.yml``, section
``atari``. The Zoo lets PPO's step size and clipping fall over ten million steps. A study of minutes
does few of these steps, so here they stay at their first values. Environments run in one process,
which is the library's default.

The game is played as ours is: ``ALE/KungFuMaster-v5``, four emulator frames a step, sticky actions
that are decided anew in each of the four frames, and raw scores of whole games. The library's Atari
wrapper belongs to the yardstick, so what it adds stays: 1 to 30 no-ops at the start, the maximum of
two frames, grayscale at 84 x 84, a lost life as the end of an episode, and rewards clipped to their
sign.
"""

import signal
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ale_py
import gymnasium
import numpy as np
import tyro
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack

from benchmarks.processes import Algorithm
from envs import KUNG_FU_MASTER as GAME
from experiment.command_line import exit_code
from experiment.files import write_json
from experiment.run_statistics import RECENT_GAMES
from settings import Checked


@dataclass(frozen=True)
class StableBaselinesConfig(Checked):
    """Train Stable-Baselines3 on Kung-Fu Master until Ctrl-C."""

    json: Path
    """File for the list of points: time (seconds since 1970), agent steps, score."""
    algorithm: Algorithm = "a2c"
    """Which learner."""
    seed: int = 1
    """Seed of everything random."""


class Point(NamedTuple):
    """How far a training was at some time."""

    time: float
    """Seconds since 1970."""
    steps: int
    """Agent steps."""
    score: float | None
    """Mean raw score of the last games; None before the first has ended."""


class Recorder(BaseCallback):
    """Notes a point after every rollout. Scores are raw, because Monitor wraps the bare game."""

    def __init__(self) -> None:
        """Start without any points."""
        super().__init__()
        self.points: list[Point] = []
        self._recent: deque[float] = deque(maxlen=RECENT_GAMES)

    def _on_step(self) -> bool:
        infos: list[dict[str, Any]] = self.locals["infos"]
        self._recent += [info["episode"]["r"] for info in infos if "episode" in info]
        return True

    def _on_rollout_end(self) -> None:
        score = float(np.mean(self._recent)) if self._recent else None
        self.points.append(Point(time.time(), self.num_timesteps, score))


def main() -> None:
    """Train until interrupted, then write the points."""
    config = tyro.cli(StableBaselinesConfig)
    recorder = Recorder()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also if started in the background
    try:
        build(config.algorithm, config.seed).learn(10_000_000, recorder)
    except KeyboardInterrupt:
        write_json(config.json, recorder.points, indent=None)


def build(algorithm: Algorithm, seed: int) -> A2C | PPO:
    """The learner with its environments."""
    if algorithm == "a2c":
        options = {"optimizer_class": RMSpropTFLike, "optimizer_kwargs": {"eps": 1e-5}}
        return A2C(
            "CnnPolicy",
            games(16, seed),
            ent_coef=0.01,
            vf_coef=0.25,
            policy_kwargs=options,
            seed=seed,
        )
    return PPO(
        "CnnPolicy",
        games(8, seed),
        n_steps=128,
        n_epochs=4,
        batch_size=256,
        learning_rate=2.5e-4,
        clip_range=0.1,
        vf_coef=0.5,
        ent_coef=0.01,
        seed=seed,
    )


def games(count: int, seed: int) -> VecEnv:
    """The game behind Stable-Baselines3's Atari preprocessing, four frames stacked."""
    gymnasium.register_envs(ale_py)
    # The wrapper skips frames, so the emulator must not.
    protocol = {"frameskip": 1, "repeat_action_probability": 0.25}
    return VecFrameStack(make_atari_env(GAME.ale_id, count, seed, env_kwargs=protocol), n_stack=4)


if __name__ == "__main__":
    sys.exit(exit_code(main))
