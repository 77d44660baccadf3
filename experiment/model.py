"""The network of a training."""

from agent.actor_critic import ActorCritic
from envs import game_of
from experiment.config import TrainConfig


def make_model(config: TrainConfig) -> ActorCritic:
    """A fresh network for the game of a training.

    Raises:
        ValueError: If it cannot see play areas of this size.
    """
    game = game_of(config.env)
    return ActorCritic(game.obs_shape, game.num_actions, config.model, game.gauge_names)
