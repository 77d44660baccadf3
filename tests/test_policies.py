"""The policies that ship with the repository: any of them plays at once."""

from pathlib import Path

import pytest
import torch

from agent.actor_critic import act
from envs import KUNG_FU_MASTER as GAME
from envs import SingleEnv
from experiment.command_line import ROOT
from experiment.trained_agent import load_agent

POLICIES = sorted((ROOT / "policies").iterdir())
LARGEST = 4 * 10**6
"""Bytes; they are part of every clone."""
PATIENCE = 1000
"""Agent steps; half of the time that the clock gives for a floor."""


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_a_policy_is_small_and_leaves_the_first_floor(path: Path):
    assert path.stat().st_size <= LARGEST
    agent = load_agent(path)
    env = SingleEnv(agent.projection, agent.config.env)
    obs, info = env.reset(seed=1)
    second = GAME.gauge_names.index("stage_2")
    generator = torch.Generator().manual_seed(1)
    score = 0.0
    for _ in range(PATIENCE):
        obs, reward, _, _, info = env.step(act(agent.model, [obs], [info], generator)[0])
        score += float(reward)
        if info["gauges"][second]:
            break
    assert info["gauges"][second] == 1
    assert score > 10_000
