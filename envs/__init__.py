"""The game: Kung-Fu Master as a batch of small single-channel observations."""

from envs.kung_fu_master import (
    NUM_ACTIONS,
    OBSERVATION_SHAPE,
    EnvConfig,
    calibrate,
    make_envs,
    make_halves,
)
from envs.projection import Projection

__all__ = [
    "NUM_ACTIONS",
    "OBSERVATION_SHAPE",
    "EnvConfig",
    "Projection",
    "calibrate",
    "make_envs",
    "make_halves",
]
