"""The games as observations: many at once to train in, single ones to judge in."""

import gymnasium as gym

from envs.calibration import calibrate, find_play_area, find_reward_scale, play_randomly
from envs.config import EnvConfig, game_of
from envs.game import STACK, Game, playable_roms
from envs.games import KUNG_FU_MASTER, env_id, find_game, is_known
from envs.kung_fu_master.game_log import LoggedEnv, make_logged_envs
from envs.projection import Projection
from envs.single import SingleEnv
from envs.vector import make_env_parts, make_envs

__all__ = [
    "KUNG_FU_MASTER",
    "STACK",
    "EnvConfig",
    "Game",
    "LoggedEnv",
    "Projection",
    "SingleEnv",
    "calibrate",
    "find_game",
    "find_play_area",
    "find_reward_scale",
    "game_of",
    "is_known",
    "make_env_parts",
    "make_envs",
    "make_logged_envs",
    "play_randomly",
    "playable_roms",
]

for _rom in playable_roms():
    gym.register(env_id(_rom), "envs.single:SingleEnv", kwargs={"game": _rom})
