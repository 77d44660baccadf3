"""Twins in other games: what they differ in, and what is said of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import games_training
from benchmarks.figures import figures
from experiment.command_line import parse


def test_twins_play_the_same_game_and_differ_in_the_loss_alone(tmp_path: Path, monkeypatch, capsys):
    asked: dict[str, Any] = {}

    def study(name: str, config: Any, arms: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        assert (name, config.seeds) == ("games_training", (1, 2, 3))
        asked.update(arms)
        scores = {"pong_default": (3.0, 5.0), "pong_uniform": (1.0, 1.0)}
        recalls = {"pong_default": 0.9, "pong_uniform": None}
        return {
            "arms": {
                arm: {
                    "trainings": [{"figures": {"score": one, "recall": recalls[arm]}} for one in of]
                }
                for arm, of in scores.items()
            }
        }

    monkeypatch.setattr(games_training, "run_study", study)
    path = tmp_path / "a.json"
    monkeypatch.setattr("sys.argv", ["x", "--json", str(path), "--games", "pong"])
    games_training.main()
    default, uniform = (parse(list(flags))[0] for flags in asked.values())
    assert default.env == uniform.env
    assert default.env.game == "pong"
    assert (default.weights.artifact, uniform.weights.artifact) == (default.weights.artifact, 1)
    assert default.weights.artifact > 1
    assert uniform.model.autoencoder.locator.count == 0
    assert json.loads(path.read_text())["default_less_uniform"]["pong"][0] == 3.0
    assert "90.0%" in capsys.readouterr().out


def test_an_unknown_game_is_refused_before_anything_is_trained(tmp_path: Path):
    with pytest.raises(ValueError, match="game must be one that ale-py plays"):
        games_training.GamesTrainingConfig(json=tmp_path / "a.json", games=("chess",))


def test_a_game_whose_ram_nobody_reads_has_score_and_recall():
    result = {"facts": [{}, {}], "mean": 12.0, "artifact_recall": 0.5, "lengths": [3, 4]}
    assert figures(result) == {"score": 12.0, "recall": 0.5}
