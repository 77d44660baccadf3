"""Policy and value losses by hand."""

import math

import pytest
import torch

from agent.losses import clipped_policy_loss, value_loss


def test_the_ratio_is_clipped_only_where_that_lowers_the_objective():
    # ratios 1.5 and 0.5, clip 0.2; advantages +1 and -1 for each.
    log_probs = torch.log(torch.tensor([1.5, 1.5, 0.5, 0.5]))
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0])
    # +1 at 1.5: min(1.5, 1.2); -1 at 1.5: min(-1.5, -1.2); +1 at 0.5: 0.5; -1 at 0.5: min(-.5, -.8)
    expected = -(1.2 - 1.5 + 0.5 - 0.8) / 4
    loss = clipped_policy_loss(log_probs, torch.zeros(4), advantages, clip=0.2)
    assert loss.item() == pytest.approx(expected)


def test_on_fresh_data_the_gradient_is_that_of_a2c():
    torch.manual_seed(0)
    logits = torch.randn(6, 5, requires_grad=True)
    actions, advantages = torch.randint(5, (6,)), torch.randn(6)
    log_probs = logits.log_softmax(1)[torch.arange(6), actions]
    (ppo,) = torch.autograd.grad(
        clipped_policy_loss(log_probs, log_probs.detach(), advantages, 0.1),
        logits,
        retain_graph=True,
    )
    (a2c,) = torch.autograd.grad(-(advantages * log_probs).mean(), logits)
    torch.testing.assert_close(ppo, a2c)


def test_value_loss_is_quadratic_then_linear():
    # errors 0.5 and 3: 0.5 * 0.25 and 3 - 0.5
    loss = value_loss(torch.tensor([0.5, 3.0]), torch.zeros(2))
    assert loss.item() == pytest.approx((0.125 + 2.5) / 2)
    assert math.isfinite(value_loss(torch.tensor([1e30]), torch.zeros(1)).item())
