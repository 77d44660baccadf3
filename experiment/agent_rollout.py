"""What a trained agent sees when it plays."""

from agent.collector import Collector
from agent.rollout import Rollout
from envs import make_env_parts
from experiment.model import make_rollout
from experiment.trained_agent import TrainedAgent

STEPS = 64
"""Agent steps of each game in a rollout."""


def agent_rollout(agent: TrainedAgent, seed: int, num_envs: int = 16, rollouts: int = 8) -> Rollout:
    """Let an agent play and return what it saw last.

    Args:
        agent: The agent.
        seed: Of games and actions.
        num_envs: Games at the same time.
        rollouts: How many it plays one after the other. All games begin alike.
    """
    config, model = agent.config, agent.model
    rollout = make_rollout(config, model, STEPS, num_envs)
    envs = make_env_parts(config.env, agent.projection, num_envs)
    try:
        collector = Collector(envs, model, agent.finder, rollout, seed)
        for _ in range(rollouts):
            collector.collect()
    finally:
        for part in envs:
            part.close()
    return rollout
