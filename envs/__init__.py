"""The game as observations: many at once to train in, single ones to judge in."""

import gymnasium as gym

from envs.game import GAME, STACK, Game
from envs.kung_fu_master.game_log import LoggedEnv, make_logged_envs
from envs.projection import Projection
from envs.single import SingleEnv
from envs.vector import EnvConfig, calibrate, make_env_parts, make_envs

__all__ = [
    "GAME",
    "STACK",
    "EnvConfig",
    "Game",
    "LoggedEnv",
    "Projection",
    "SingleEnv",
    "calibrate",
    "make_env_parts",
    "make_envs",
    "make_logged_envs",
]

gym.register(GAME.env_id, "envs.single:SingleEnv")
