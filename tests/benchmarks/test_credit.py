"""The ablation: what every arm changes, and what is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import credit
from benchmarks.arms import figures
from benchmarks.credit import ARMS
from experiment.command_line import parse
from tests.benchmarks.test_arms import evaluation


def test_every_arm_is_a_training_of_its_own():
    configs = [parse(list(flags))[0] for flags in ARMS.values()]
    assert len(set(configs)) == len(ARMS)
    by_name = dict(zip(ARMS, configs, strict=True))
    assert by_name["no_damage"].credit.damage == 0
    assert not by_name["blind_critic"].model.critic_sees_gauges
    assert by_name["long_horizon"].ppo.gamma > by_name["default"].ppo.gamma
    assert min(by_name["progress"].credit.way, by_name["progress"].credit.opponent) > 0


def test_chosen_arms_are_judged_and_kept_with_their_flags(tmp_path: Path, monkeypatch):
    asked: dict[str, Any] = {}

    def judge(arms: Any, seeds: Any, *_: Any) -> dict[str, list[dict[str, Any]]]:
        asked.update(arms)
        one = evaluation() | {"commits": ["abc"], "figures": figures(evaluation())}
        return {arm: [one | {"train_seed": seed} for seed in seeds] for arm in arms}

    monkeypatch.setattr(credit, "judge", judge)
    path = tmp_path / "credit.json"
    flags = [
        "--json",
        str(path),
        "--arms",
        "default",
        "no_damage",
        "--seeds",
        "4",
        "--steps",
        "900",
    ]
    monkeypatch.setattr("sys.argv", ["credit", *flags])
    credit.main()
    assert asked == {
        "default": ("--total-steps", "900"),
        "no_damage": ("--total-steps", "900", "--credit.damage", "0"),
    }
    kept = json.loads(path.read_text())
    assert kept["arms"]["no_damage"]["flags"] == ["--credit.damage", "0"]
    (training,) = kept["arms"]["default"]["trainings"]
    assert (training["train_seed"], training["figures"]["score"]) == (4, 200)


def test_an_arm_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, monkeypatch, capsys):
    flags = ["--json", str(tmp_path / "x.json"), "--arms", "none"]
    monkeypatch.setattr("sys.argv", ["credit", *flags])
    monkeypatch.setattr(credit, "judge", lambda *_: pytest.fail("it trains"))
    with pytest.raises(SystemExit, match="2"):
        credit.main()
    assert "arms must be of default, blind_critic" in capsys.readouterr().err
