"""Advantage estimation: pure functions of tensors."""

import torch
from torch import Tensor


def generalized_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalized advantage estimation (Schulman et al. 2016, equations 11, 12 and 16).

    delta_t = r_t + gamma * v(s_{t+1}) * (1 - terminated_t) - v(s_t)
    A_t     = delta_t + gamma * lambda * (1 - terminated_t or truncated_t) * A_{t+1}

    A terminated state is worth nothing; a truncated episode would have gone on, so its real last
    observation keeps its value. Neither lets the next episode's advantage through.

    Args:
        rewards: (T, N) float.
        values: (T, N), of the observations acted on.
        next_values: (T, N), of the observations that followed, before any reset.
        terminated: (T, N) bool.
        truncated: (T, N) bool.
        gamma: Discount, 0 to 1.
        gae_lambda: Weight of longer estimates, 0 to 1.

    Returns:
        (T, N) advantages; add ``values`` for the value targets.
    """
    assert rewards.ndim == 2
    assert rewards.shape == values.shape == next_values.shape
    assert rewards.shape == terminated.shape == truncated.shape
    deltas = rewards + gamma * next_values * ~terminated - values
    carry = gamma * gae_lambda * ~(terminated | truncated)
    advantages = torch.empty_like(deltas)
    following = torch.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        following = deltas[t] + carry[t] * following
        advantages[t] = following
    return advantages
