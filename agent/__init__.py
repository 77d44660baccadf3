"""The learner: actor-critic, rollouts and PPO."""
