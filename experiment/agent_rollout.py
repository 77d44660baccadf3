"""What a trained agent sees when it plays."""

from agent.collector import Collector
from agent.rollout import Rollout
from envs import make_env_parts
from experiment.model import make_rollout
from experiment.trained_agent import TrainedAgent

GAMES, STEPS = 16, 64
"""Games of a rollout, and agent steps of each."""
ROLLOUTS = 8
"""Played one after the other. All games begin alike, so the first ones tell little."""


def agent_rollout(agent: TrainedAgent, seed: int) -> Rollout:
    """Let an agent play, with games and actions from ``seed``, and return what it saw last."""
    config, model = agent.config, agent.model
    rollout = make_rollout(config, model, STEPS, GAMES)
    envs = make_env_parts(config.env, agent.projection, GAMES)
    try:
        collector = Collector(envs, model, agent.finder, rollout, seed)
        for _ in range(ROLLOUTS):
            collector.collect()
    finally:
        for part in envs:
            part.close()
    return rollout
