"""What the arms begin with, and how long those with a ResNet train."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.gradients import GradientsConfig
from benchmarks import pretrained
from benchmarks.pretrained import PretrainedConfig, make_arms
from experiment.command_line import parse


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Of the trainings that would be started; one with a ResNet has a fiftieth of the speed."""
    found: list[list[str]] = []

    def run(command: list[str], **_: bool):
        found.append(command)
        return type("Done", (), {"returncode": 0})

    def rates(path: Path, tags: list[str]) -> dict[str, list[SimpleNamespace]]:
        rate = 20.0 if "resnet" in str(path) else 1000.0
        steps = [5 * rate, rate, rate / 2, 2 * rate]  # the first update is none to judge by
        return {tag: [SimpleNamespace(value=value) for value in steps] for tag in tags}

    monkeypatch.setattr(pretrained.subprocess, "run", run)
    monkeypatch.setattr(pretrained, "scalars", rates)
    return found


def test_every_arm_begins_with_what_its_name_says(tmp_path: Path, commands: list[list[str]]):
    config = PretrainedConfig(
        json=tmp_path / "a.json", runs=tmp_path, weights="w.onnx", steps=500_000
    )
    arms = make_arms(config)
    configs = {arm: parse(["--total-steps", "500000", *flags])[0] for arm, flags in arms.items()}
    assert configs["default"] == parse(["--total-steps", "500000"])[0]
    assert configs["pretrained"].autoencoder_from == tmp_path / "autoencoder"
    assert configs["pretrained"].model == configs["default"].model
    frozen = configs["pretrained_frozen"].model.gradients
    assert frozen == GradientsConfig(("actor",), ("critic",), ("actor",), (), ())
    for arm, is_frozen in (("resnet", False), ("resnet_frozen", True)):
        encoder = configs[arm].model.autoencoder.encoder
        assert (encoder.backbone, encoder.frozen_backbone) == ("open_nsfw", is_frozen)
        assert configs[arm].backbone_weights == "w.onnx"
        assert configs[arm].total_steps == 10_000  # a fiftieth
        assert not configs[arm].autoencoder_from
    # The autoencoder alone learns, on what the untrained policy sees.
    alone, _ = parse(commands[0][2:])
    assert alone.ppo.autoencoder_steps == alone.total_steps == 200_000
    assert alone.ppo.coefficients(199_999)["policy"] == 0


def test_without_weights_there_are_no_arms_with_a_resnet(tmp_path: Path, commands):
    arms = make_arms(PretrainedConfig(json=tmp_path / "a.json", runs=tmp_path))
    assert [*arms] == ["default", "pretrained", "pretrained_frozen"]
    assert len(commands) == 1
