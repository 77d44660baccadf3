"""Bounds beside fields are kept, and roles are found in nested configs."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

from agent.ppo_config import PPOConfig
from experiment.config import TrainConfig
from settings import Checked, Role, Seed, Within, names_with


@dataclass(frozen=True)
class Inner(Checked):
    """A group of fields."""

    share: Annotated[float, Within(0, 1, above=True)] = 0.5
    pair: Annotated[tuple[int, int], Within(1, 256)] = (8, 32)
    free: Annotated[str, Role.NEUTRAL] = "x"


@dataclass(frozen=True)
class Paths(Checked):
    """Of files."""

    one: Path = Path("a")
    maybe: Path | None = None
    many: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outer(Checked):
    """A config with a group."""

    steps: Annotated[int, Within(1, 10**12), Role.EXTENDABLE] = 5
    seeds: tuple[Seed, ...] = (1,)
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Outer, {"steps": 0}, "steps must be from 1 to 1000000000000, got 0"),
        (Outer, {"steps": 10**12 + 1}, "steps must be from 1 to 1000000000000, got 1000000000001"),
        (Inner, {"share": 0.0}, "share must be above 0 and at most 1, got 0.0"),
        (Inner, {"share": math.nan}, "share must be above 0 and at most 1, got nan"),
        (Inner, {"share": math.inf}, "share must be above 0 and at most 1, got inf"),
        (Inner, {"pair": (8, 257)}, r"pair must each be from 1 to 256, got \(8, 257\)"),
        (Outer, {"seeds": (1, -1)}, r"seeds must each be from 0 to 4294967295, got \(1, -1\)"),
        (Outer, {"seeds": ()}, "seeds must be one or more numbers from 0 to 4294967295, got none"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_what_is_allowed(kind, values, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        kind(**values)


def test_the_bounds_themselves_are_allowed():
    assert Inner(share=1.0, pair=(1, 256)).pair == (1, 256)
    assert Outer(steps=10**12, seeds=(0, 2**32 - 1)).steps == 10**12
    assert Within(1e-6, 1).__str__() == "from 0.000001 to 1"


def test_names_are_found_by_role_in_nested_configs():
    assert names_with(Outer, Role.EXTENDABLE) == {"steps"}
    assert names_with(Outer, Role.NEUTRAL) == {"inner.free"}
    assert names_with(Outer, Role.NEUTRAL, Role.EXTENDABLE) == {"steps", "inner.free"}


def test_the_roles_of_a_training_are_those_that_its_help_tells():
    assert names_with(TrainConfig, Role.EXTENDABLE) == {"total_steps", "num_envs"}
    assert names_with(TrainConfig, Role.NEUTRAL) == {
        "run_dir", "resume", "threads", "device", "image_interval", "film_interval",
        "checkpoint_interval", "evaluation_games", "ppo.max_skipped",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gamma": 1.5}, "gamma must be from 0 to 1, got 1.5"),
        ({"clip": 0.0}, "clip must be above 0 and at most 1000000, got 0.0"),
        ({"num_epochs": 0}, "num_epochs must be from 1 to 1000, got 0"),
        ({"reward_clip": (1.0, 1.0)}, r"reward_clip must be \(low, high\), got \(1.0, 1.0\)"),
    ],
)
def test_a_real_config_checks_its_bounds_and_its_own_rules(values, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        PPOConfig(**values)


BYTES = Path(os.fsdecode(b"run\xff"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"one": Path("a\0b")},
            r"one must be a path in UTF-8 without control codes, got 'a\\x00b'",
        ),
        ({"one": Path("a\tb")}, r"one must be .* got 'a\\tb'"),
        ({"maybe": Path("a\nb\x1b[1m")}, "maybe must be .* without control codes"),
        ({"one": BYTES}, r"one must be a path .* got 'run\\udcff'"),
        ({"maybe": BYTES / "below"}, "maybe must be a path in UTF-8"),
        ({"many": (Path("a"), BYTES)}, "many must be a path in UTF-8"),
    ],
)
def test_a_path_that_no_text_can_hold_is_refused(values: dict[str, Any], message: str):
    Paths(Path("ü"), Path("a b"), (Path("c"),))
    with pytest.raises(ValueError, match=message):
        Paths(**values)
