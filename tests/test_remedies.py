"""Remedies that are one flag, through every command: training, resumption, games, export."""

import json
from pathlib import Path

import pytest
import torch

import evaluate
import export
import train
from benchmarks import channel_use, pruning
from encoders import EncoderConfig
from encoders.resnet import ResNet
from envs import Projection
from experiment import agent_rollout, training_state
from experiment.command_line import parse
from experiment.errors import UserError
from experiment.run_directory import RunDirectory
from experiment.trained_agent import load_agent
from experiment.training_state import TrainingState
from tests.encoders.test_resnet import torchvision_state
from tests.test_extension import FLAGS
from tools import prune


@pytest.fixture(scope="module", autouse=True)
def quick():
    """No calibration, and short rollouts, whose last is not the still picture of a beginning."""
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_state, "calibrate", lambda *_: projection)
        patch.setattr(agent_rollout, "GAMES", 4)
        patch.setattr(agent_rollout, "STEPS", 24)
        yield


REMEDIES = {
    "experts": ["--model.experts", "3", "--model.expert-by", "clock"],
    "mask": ["--model.autoencoder.mask-channel"],
}


@pytest.fixture(scope="module", params=REMEDIES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "run"
    flags = [*FLAGS, *REMEDIES[request.param], "--run-dir", str(path), "--total-steps", "32"]
    assert train.main(flags) == 0
    return path


def test_it_trains_resumes_and_plays(run: Path):
    assert train.main(["--run-dir", str(run), "--resume", "--total-steps", "48"]) == 0
    assert load_agent(run).statistics.steps == 48
    flags = ["--checkpoint", str(run), "--episodes", "1", "--video", str(run / "game.mp4")]
    assert evaluate.main(flags) == 0
    weights = run / "weights.safetensors"
    assert export.main(["--checkpoint", str(run), "--weights", str(weights)]) == 0
    assert evaluate.main(["--checkpoint", str(weights), "--episodes", "1"]) == 0


def test_weights_from_elsewhere_are_the_start_of_a_backbone_and_are_kept(tmp_path: Path, capsys):
    torch.save(torchvision_state("resnet18"), tmp_path / "weights.pth")
    flags = ["--run-dir", str(tmp_path / "run"), "--evaluation-games", "0"]
    backbone = ["--model.autoencoder.encoder.backbone"]
    weights = ["--backbone-weights", str(tmp_path / "weights.pth")]
    frozen = "--model.autoencoder.encoder.frozen-backbone"
    new = [*FLAGS, *flags, *weights, "--total-steps", "16", frozen, *backbone]
    assert train.main([*new, "resnet50"]) == 2
    assert "must hold the weights of resnet50" in capsys.readouterr().err
    assert train.main([*new, "resnet18"]) == 0
    (tmp_path / "weights.pth").unlink()  # a checkpoint holds them
    assert train.main([*flags, "--resume", "--total-steps", "32"]) == 0
    plain = ResNet("resnet18", 4, frozen=True)
    torch.save(torchvision_state("resnet18"), tmp_path / "again.pth")
    plain.load(tmp_path / "again.pth")
    found = load_agent(tmp_path / "run").model.autoencoder.encoder.convolutions.state_dict()
    assert all(torch.equal(found[name], value) for name, value in plain.state_dict().items())


def test_a_part_that_no_loss_trains_can_be_resumed(tmp_path: Path):
    flags = ["--run-dir", str(tmp_path), "--evaluation-games", "0"]
    assert train.main([*FLAGS, *flags, "--total-steps", "16", "--model.gradients.value"]) == 0
    assert train.main([*flags, "--resume", "--total-steps", "32"]) == 0


def test_a_pretrained_autoencoder_is_the_start_of_an_agent(run: Path, tmp_path: Path, capsys):
    given = load_agent(run)
    flags = [*FLAGS, "--run-dir", str(tmp_path / "agent"), "--autoencoder-from", str(run)]
    flags += REMEDIES["mask" if "mask" in str(run) else "experts"]
    config, _ = parse(flags)
    state = TrainingState(config, torch.device("cpu"), RunDirectory(tmp_path), None)
    assert state.projection == given.projection
    found, wanted = state.model.autoencoder.state_dict(), given.model.autoencoder.state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    assert not torch.equal(state.model.actor.hidden.weight, given.model.actor.hidden.weight)
    # One of another shape is refused, and a mended command may use the directory.
    assert train.main([*flags, "--model.autoencoder.encoder.latent-dim", "32"]) == 2
    assert "tensor decoder.layers.0.weight has shape" in capsys.readouterr().err
    assert train.main([*flags, "--total-steps", "16"]) == 0
    assert (
        train.main(["--run-dir", str(tmp_path / "agent"), "--resume", "--total-steps", "32"]) == 0
    )


@pytest.mark.parametrize("run", ["mask"], indirect=True)
def test_what_a_mask_needs_a_graph_does_not_have(run: Path, capsys):
    assert export.main(["--checkpoint", str(run), "--onnx", str(run / "a.onnx")]) == 2
    assert "onnx and hub hold no detector" in capsys.readouterr().err


def test_its_channels_are_judged(run: Path, monkeypatch, capsys):
    path = run / "use.json"
    words = ["channel_use", str(run), "--json", str(path), "--repeats", "1"]
    monkeypatch.setattr("sys.argv", words)
    channel_use.main()
    assert "frame -3" in capsys.readouterr().out
    channels = json.loads(path.read_text())["channels"]
    mask = ["mask", "mask transposed"] if "mask" in str(run) else []
    assert [*channels] == ["frame -3", "frame -2", "frame -1", "frame -0", *mask]
    assert all(channels[name]["norm"] > 0 for name in channels if name != "mask transposed")
    assert channels["frame -3"]["value"] > 0


def test_a_pruned_agent_is_smaller_and_plays(run: Path, monkeypatch, capsys):
    path = run / "pruned.safetensors"
    words = ["prune", str(run), "--share", "0.5", "--output", str(path)]
    monkeypatch.setattr("sys.argv", words)
    if "experts" in str(run):
        with pytest.raises(UserError, match="with experts or a backbone cannot"):
            prune.main()
        return
    prune.main()
    assert "% of before" in capsys.readouterr().out
    model = load_agent(path).config.model
    assert model.autoencoder.encoder == EncoderConfig(latent_dim=32, channels=(2, 2))
    assert evaluate.main(["--checkpoint", str(path), "--episodes", "1"]) == 0
    monkeypatch.setattr(pruning, "TURNS", 2)
    json_path = run / "pruning.json"
    words = ["pruning", str(run), "--json", str(json_path), "--shares", "0.5", "--games", "1"]
    monkeypatch.setattr("sys.argv", words)
    pruning.main()
    (shares,) = json.loads(json_path.read_text())["agents"].values()
    assert 0.2 < shares["0.5"]["numbers"] < 0.8
    assert shares["0.5"]["time"] > 0
