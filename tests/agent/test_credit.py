"""What an agent is told beyond the score, by arithmetic."""

from dataclasses import fields

import pytest
import torch

from agent.credit import NUM_CHANGES, CreditConfig, credit
from envs.gauge_reader import CHANGES


def test_damage_costs_and_progress_pays():
    changes = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0], [0.0, 0.0, 0.1], [0.5, 0.25, 0.1]])
    found = credit(changes, CreditConfig(damage=30, opponent=8, way=20), progress=1.0)
    assert found.tolist() == pytest.approx([-15, 2, 2, -11])


def test_nothing_is_told_if_all_is_off():
    changes = torch.rand(4, 5, 3)
    found = credit(changes, CreditConfig(0, 0, 0), progress=0.5)
    assert found.shape == (4, 5)
    assert not found.any()


def test_factors_and_changes_stand_in_the_same_order():
    assert tuple(field.name for field in fields(CreditConfig))[: len(CHANGES)] == CHANGES
    assert len(CHANGES) == NUM_CHANGES


def test_the_cost_of_damage_grows_to_its_factor_and_nothing_else_does():
    changes = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.1]])
    config = CreditConfig(damage=30, opponent=8, way=20, damage_warm_up=0.4)
    for progress, cost in {0.0: 0.0, 0.1: 3.75, 0.2: 7.5, 0.4: 15, 1.0: 15}.items():
        assert credit(changes, config, progress).tolist() == pytest.approx([-cost, 4])
    at_once = CreditConfig(damage=30, damage_warm_up=0)
    assert credit(changes, at_once, 0.0).tolist() == pytest.approx([-15, 0])


@pytest.mark.parametrize("field", CHANGES)
def test_impossible_factors_are_named(field: str):
    for value in (-1.0, float("nan"), 1e7):
        with pytest.raises(ValueError, match=rf"{field} must be from 0 to 1000000"):
            CreditConfig(**{field: value})
