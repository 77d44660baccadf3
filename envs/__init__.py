"""The game: Kung-Fu Master as a batch of small single-channel observations."""

import gymnasium as gym

from envs.game_log import make_games
from envs.kung_fu_master import (
    NUM_ACTIONS,
    OBSERVATION_SHAPE,
    EnvConfig,
    calibrate,
    make_envs,
    make_halves,
)
from envs.projection import Projection
from envs.single import ENV_ID, KungFuMaster

__all__ = [
    "ENV_ID",
    "NUM_ACTIONS",
    "OBSERVATION_SHAPE",
    "EnvConfig",
    "KungFuMaster",
    "Projection",
    "calibrate",
    "make_envs",
    "make_games",
    "make_halves",
]

gym.register(ENV_ID, "envs.single:KungFuMaster")
