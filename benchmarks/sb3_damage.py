"""The yardstick with our damage term: Stable-Baselines3's PPO is told what a hit costs.

All else is as in ``benchmarks.sb3``: rewards are cut to their sign, and the share of the health bar
that enemies take, times our factor, is taken off, in full from the start. The bar is read from the
screen as ours is. The networks see what they saw; the score that is reported is the game's own.
"""

import signal
import sys
from typing import Any, SupportsFloat

import ale_py
import gymnasium
import numpy as np
import tyro
from stable_baselines3 import PPO
from stable_baselines3.common.atari_wrappers import AtariWrapper
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecFrameStack

from agent.credit import CreditConfig
from benchmarks.sb3 import Recorder, StableBaselinesConfig, build
from envs import KUNG_FU_MASTER as GAME
from envs.gauge_reader import GaugeReader
from experiment.command_line import exit_code
from experiment.errors import UserError
from experiment.files import write_json


class DamageTerm(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes damage off the reward of a game that steps four emulator frames at once."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Wrap a game behind Stable-Baselines3's Atari preprocessing."""
        super().__init__(AtariWrapper(env))
        self._emulator: Any = env.unwrapped
        self._gauges = GaugeReader(GAME.gauges, 1)
        self._factor = CreditConfig().damage

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        """As in Gymnasium."""
        result = self.env.reset(**settings)
        self._damage()  # of the step in which a life was lost
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """As in Gymnasium."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, float(reward) - self._factor * self._damage(), terminated, truncated, info

    def _damage(self) -> float:
        screen = self._emulator.ale.getScreenRGB()
        return float(self._gauges.read(screen[None], np.zeros(1, np.int64)).changes[0, 0])


def main() -> None:
    """Train until interrupted, then write the points."""
    config = tyro.cli(StableBaselinesConfig)
    if config.algorithm != "ppo":
        raise UserError(f"algorithm must be ppo, got {config.algorithm}")
    recorder = Recorder()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also if started in the background
    try:
        build_with_damage(config.seed).learn(10_000_000, recorder)
    except KeyboardInterrupt:
        write_json(config.json, recorder.points, indent=None)


def build_with_damage(seed: int) -> PPO:
    """The yardstick's PPO in games whose reward has the damage term."""
    gymnasium.register_envs(ale_py)
    model = build("ppo", seed)
    assert isinstance(model, PPO)
    games = make_vec_env(
        GAME.ale_id,
        model.n_envs,
        seed,
        wrapper_class=DamageTerm,
        env_kwargs={"frameskip": 1, "repeat_action_probability": 0.25},
    )
    model.set_env(VecFrameStack(games, n_stack=4))
    return model


if __name__ == "__main__":
    sys.exit(exit_code(main))
