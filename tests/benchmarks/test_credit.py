"""The ablation: what every arm changes, and which arms are asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import credit
from benchmarks.credit import ARMS
from experiment.command_line import parse


def test_every_arm_is_a_training_of_its_own():
    configs = [parse(list(flags))[0] for flags in ARMS.values()]
    assert len(set(configs)) == len(ARMS)
    by_name = dict(zip(ARMS, configs, strict=True))
    assert by_name["no_damage"].credit.damage == 0
    assert not by_name["blind_critic"].model.critic_sees_gauges
    assert by_name["long_horizon"].ppo.gamma > by_name["default"].ppo.gamma
    assert by_name["no_warm_up"].credit.damage_warm_up == 0


def test_chosen_arms_are_studied(tmp_path: Path, monkeypatch):
    asked: dict[str, Any] = {}

    def study(name: str, config: Any, arms: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        asked.update(name=name, arms=arms, seeds=config.seeds, steps=config.steps)
        return {"arms": {}}

    monkeypatch.setattr(credit, "run_study", study)
    flags = ["--json", f"{tmp_path}/a.json", "--arms", "default", "no_damage", "--seeds", "4"]
    monkeypatch.setattr("sys.argv", ["credit", *flags, "--steps", "900"])
    credit.main()
    arms = {"default": (), "no_damage": ("--credit.damage", "0")}
    assert asked == {"name": "credit", "arms": arms, "seeds": (4,), "steps": 900}


def test_an_arm_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, monkeypatch, capsys):
    flags = ["--json", str(tmp_path / "x.json"), "--arms", "none"]
    monkeypatch.setattr("sys.argv", ["credit", *flags])
    monkeypatch.setattr(credit, "run_study", lambda *_: pytest.fail("it trains"))
    with pytest.raises(SystemExit, match="2"):
        credit.main()
    assert "arms must be of default, no_warm_up" in capsys.readouterr().err
