"""Advantage estimation against closed forms and a direct sum."""

import pytest
import torch

from agent.returns import generalized_advantages

GAMMA, LAMBDA = 0.9, 0.8


def advantages(
    rewards: list[float],
    values: list[float],
    next_values: list[float],
    terminated: list[int],
    truncated: list[int],
) -> list[float]:
    """One environment, as plain lists."""
    columns = [torch.tensor(column)[:, None] for column in (rewards, values, next_values)]
    ends = [torch.tensor(column, dtype=torch.bool)[:, None] for column in (terminated, truncated)]
    return generalized_advantages(*columns, *ends, GAMMA, LAMBDA).flatten().tolist()


def test_three_steps_by_hand():
    # deltas: 1 + 0.9 * 2 - 1 = 1.8;  0 + 0.9 * 3 - 2 = 0.7;  2 + 0.9 * 4 - 3 = 2.6
    found = advantages([1.0, 0.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [0] * 3, [0] * 3)
    last = 2.6
    middle = 0.7 + 0.72 * last
    assert found == pytest.approx([1.8 + 0.72 * middle, middle, last])


def test_termination_cuts_both_value_and_advantage():
    # After the end at step 1 nothing counts: neither the value 100 nor the reward 50 behind it.
    found = advantages([1.0, 5.0, 50.0], [1.0, 2.0, 0.0], [2.0, 100.0, 0.0], [0, 1, 0], [0] * 3)
    end = 5.0 - 2.0
    assert found == pytest.approx([1.8 + 0.72 * end, end, 50.0])


def test_truncation_bootstraps_but_lets_nothing_through():
    # The value 100 of the real last observation counts, the next episode's reward 50 does not.
    found = advantages([1.0, 5.0, 50.0], [1.0, 2.0, 0.0], [2.0, 100.0, 0.0], [0] * 3, [0, 1, 0])
    cut = 5.0 + 0.9 * 100.0 - 2.0
    assert found == pytest.approx([1.8 + 0.72 * cut, cut, 50.0])


def test_random_rollouts_equal_the_direct_sum():
    torch.manual_seed(0)
    steps, envs = 12, 5
    rewards, values, next_values = torch.randn(3, steps, envs)
    terminated, truncated = torch.rand(2, steps, envs) < 0.15
    found = generalized_advantages(
        rewards, values, next_values, terminated, truncated, GAMMA, LAMBDA
    )
    for n in range(envs):
        for t in range(steps):
            total, weight = 0.0, 1.0
            for k in range(t, steps):
                alive = 0.0 if terminated[k, n] else 1.0
                delta = rewards[k, n] + GAMMA * next_values[k, n] * alive - values[k, n]
                total += weight * delta.item()
                if terminated[k, n] or truncated[k, n]:
                    break
                weight *= GAMMA * LAMBDA
            assert found[t, n].item() == pytest.approx(total, abs=1e-4)
