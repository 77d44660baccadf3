"""The learner: actor-critic, rollouts, PPO, checkpoints and what a user sees of them."""
