"""What an agent is told beyond the score, by arithmetic."""

from dataclasses import fields

import pytest
import torch

from agent.credit import CreditConfig, credit
from envs.gauge_reader import CHANGES


def test_damage_costs_and_progress_pays():
    changes = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0], [0.0, 0.0, 0.1], [0.5, 0.25, 0.1]])
    found = credit(changes, CreditConfig(damage=30, opponent=8, way=20))
    assert found.tolist() == pytest.approx([-15, 2, 2, -11])


def test_nothing_is_told_if_all_is_off():
    changes = torch.rand(4, 5, 3)
    found = credit(changes, CreditConfig(0, 0, 0))
    assert found.shape == (4, 5)
    assert not found.any()


def test_factors_and_changes_stand_in_the_same_order():
    assert tuple(field.name for field in fields(CreditConfig)) == CHANGES


@pytest.mark.parametrize("field", CHANGES)
def test_impossible_factors_are_named(field: str):
    for value in (-1.0, float("nan"), 1e7):
        with pytest.raises(ValueError, match=rf"{field} must be from 0 to 1000000"):
            CreditConfig(**{field: value})
