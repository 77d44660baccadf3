"""What a remedy costs is measured side by side."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import learning_time
from experiment.config import TrainConfig


class Slow:
    """A training whose first update takes long, and which is slower with tracks and experts."""

    made = 0

    def __init__(self, config: TrainConfig, _: Path) -> None:
        self.factor = 2.0 if config.model.autoencoder.locator.count else 1.0
        self.factor *= config.model.experts
        self.updates = 0

    def update(self) -> dict[str, float]:
        self.updates += 1
        return {"playing": 300.0, "learning": self.factor * (900.0 if self.updates == 1 else 100.0)}

    def close(self) -> None:
        Slow.made += 1


def test_ratios_are_those_of_the_updates_after_the_warm_up(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(learning_time, "Trainee", Slow)
    path = tmp_path / "a.json"
    monkeypatch.setattr("sys.argv", ["x", "--json", str(path), "--updates", "3", "--warm-up", "1"])
    learning_time.main()
    found = json.loads(path.read_text())
    spent = found["microseconds"]
    assert spent["default"] == {"playing": 300.0, "learning": 200.0, "both": 500.0}
    assert spent["without tracks"]["learning"] == 100.0
    ratio = found["ratio"]
    assert ratio["tracks"] == pytest.approx({"playing": 1.0, "learning": 2.0, "both": 500 / 400})
    assert ratio["five experts"] == pytest.approx(
        {"playing": 1.0, "learning": 5.0, "both": 1300 / 500}
    )
    assert ratio["mask channel"]["both"] == 1.0
    assert Slow.made == len(learning_time.ARMS)


def test_a_real_update_is_timed(tmp_path: Path):
    config = TrainConfig(num_envs=2)
    small = replace(config.ppo, num_steps=8, num_minibatches=2)
    trainee = learning_time.Trainee(replace(config, ppo=small), tmp_path)
    took = trainee.update()
    trainee.close()
    assert took.keys() == set(learning_time.PARTS)
    assert min(took.values()) > 0
