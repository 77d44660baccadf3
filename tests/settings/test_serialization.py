"""What is read from JSON is what was written, or an error that names the fields."""

import json
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from agent.ppo_config import PPOConfig
from envs import Projection
from experiment.config import TrainConfig
from experiment.run_statistics import RunStatistics
from settings import flat, from_json, to_json

CONFIG = replace(TrainConfig(), run_dir=Path("a/b"), ppo=PPOConfig(gamma=0.5, clip=0.25))
PROJECTION = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))


@pytest.mark.parametrize("value", [TrainConfig(), CONFIG, PROJECTION, RunStatistics()])
def test_everything_that_is_saved_comes_back_equal(value: object):
    text = json.dumps(to_json(value))
    assert from_json(json.loads(text), type(value)) == value


def test_statistics_come_back_with_their_windows():
    statistics = RunStatistics(steps=3, best=-1.5, recent=deque([1.0, 2.0]))
    again = from_json(to_json(statistics), RunStatistics)
    assert again == statistics
    assert again.recent.maxlen == statistics.recent.maxlen


def changed(**changes: object) -> dict[str, object]:
    """The JSON of a config with another ``ppo`` group; a value of None drops the field."""
    found = to_json(CONFIG)
    found["ppo"] |= changes
    found["ppo"] = {name: value for name, value in found["ppo"].items() if value is not None}
    return found


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (changed(gammma=0.9), "ppo.gammma is unknown"),
        (changed(gamma=None), "ppo.gamma is missing"),
        (changed(gamma=None, discount=0.5), "ppo.gamma is missing; ppo.discount is unknown"),
        (changed(num_steps=64.5), "ppo.num_steps cannot be 64.5"),
        (changed(num_steps="64"), "ppo.num_steps cannot be '64'"),
        (changed(normalize_advantages="no"), "ppo.normalize_advantages cannot be 'no'"),
        (changed(gamma=7), "gamma must be from 0 to 1, got 7"),
        (changed(num_steps="many"), "'many' at ppo.num_steps"),
        ({}, "run_dir is missing; resume is missing; .*; and [0-9]+ more$"),
        ([], "it must be an object with fields, got list"),
        (None, "it must be an object with fields, got NoneType"),
    ],
)
def test_no_field_is_dropped_filled_in_or_rounded(value: object, message: str):
    with pytest.raises(ValueError, match=message):
        from_json(value, TrainConfig)


def test_flat_names_nested_values_with_dots():
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}
