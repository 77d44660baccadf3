"""Losses of actor and critic: pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """PPO's clipped surrogate, negated for descent (Schulman et al. 2017, equation 7).

    L = -mean(min(r * A, clip(r, 1 - clip, 1 + clip) * A)), r = pi(a|s) / pi_old(a|s)

    On data of the present policy r is 1, and the gradient is that of A2C,
    -mean(A * grad log pi(a|s)) (Huang et al. 2022, "A2C is a special case of PPO").

    Args:
        log_probs: (B,) of the present policy.
        old_log_probs: (B,) of the policy that acted.
        advantages: (B,).
        clip: Largest change of the ratio that is still rewarded, above 0.

    Returns:
        A scalar.
    """
    assert log_probs.shape == old_log_probs.shape == advantages.shape
    ratio = (log_probs - old_log_probs).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def value_loss(values: Tensor, returns: Tensor) -> Tensor:
    """Huber loss with threshold 1: quadratic for small errors, linear for rare large rewards.

    Args:
        values: (B,) predictions.
        returns: (B,) targets.

    Returns:
        A scalar, the mean.
    """
    assert values.shape == returns.shape
    return functional.huber_loss(values, returns)
