"""The network of a training, and the memory of what it sees."""

from agent.actor_critic import ActorCritic
from agent.rollout import Rollout
from envs import game_of
from experiment.checkpoint import device_of
from experiment.config import TrainConfig


def make_model(config: TrainConfig) -> ActorCritic:
    """A fresh network for the game of a training.

    Raises:
        ValueError: If it cannot see play areas of this size.
    """
    game = game_of(config.env)
    return ActorCritic(game.obs_shape, game.num_actions, config.model, game.gauge_names)


def make_rollout(config: TrainConfig, model: ActorCritic, num_steps: int, num_envs: int) -> Rollout:
    """Memory for ``num_steps`` of ``num_envs`` games that a network plays, on its device."""
    game, tracks = game_of(config.env), model.autoencoder.track_units
    gauges = len(game.gauge_names)
    return Rollout(num_steps, num_envs, game.obs_shape, device_of(model), gauges, tracks)
