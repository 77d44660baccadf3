"""Taking a trained policy elsewhere: the command line on a real run, and what others make of it."""

import errno
import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from huggingface_hub import ModelCard

import export
import train
from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic
from agent.deployed import DeployedPolicy, PolicyOutput
from envs import NUM_ACTIONS, OBSERVATION_SHAPE
from tests.agent.deployment import PROJECTION, fit, real_observations
from tests.test_train import TINY
from trained import Trained, load_trained


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny training with two evaluated short games, whose policy is not indifferent."""
    run_dir = tmp_path_factory.mktemp("export") / "run"
    flags = ["--total-steps", "32", "--evaluation-games", "2", "--env.max-episode-frames", "400"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "calibrate", lambda *_: PROJECTION)
        assert train.main(["--run-dir", str(run_dir), *flags, *TINY]) == 0
    checkpoint = checkpoints.load(run_dir)
    model = load_trained(run_dir).model
    fit(model)
    model_tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    checkpoints.save(checkpoint.path, {**checkpoint.tensors, **model_tensors}, checkpoint.state)
    return run_dir


@pytest.fixture
def run_dir(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input must end before anything is loaded."""
    monkeypatch.setattr(export, "load_trained", lambda *_: pytest.fail("a checkpoint was loaded"))


def in_float32(trained: Trained) -> ActorCritic:
    """The same network without bfloat16."""
    config = replace(trained.model.config, bfloat16=False)
    model = ActorCritic(OBSERVATION_SHAPE, NUM_ACTIONS, config)
    model.load_state_dict(trained.model.state_dict())
    return model


def exit_code(flags: list[str]) -> int:
    """Of the command line, which may leave through tyro."""
    try:
        return export.main(flags)
    except SystemExit as left:
        return int(left.code or 0)


@torch.no_grad()
def test_onnx_says_what_the_actor_critic_says(run_dir: Path, tmp_path: Path, capsys):
    path = tmp_path / "policy.onnx"
    path.write_bytes(b"an older one")
    assert export.main(["--checkpoint", str(run_dir), "--onnx", str(path)]) == 0
    assert f"wrote {path}: ONNX, opset 18" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(path)
    model = in_float32(load_trained(run_dir))
    for count in (1, 2, 3, 40):
        obs = real_observations(40)[-count:]
        found = PolicyOutput(*map(torch.from_numpy, session.run(None, {"obs": obs.numpy()})))
        expected = model(obs)
        close = {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(found.probabilities, expected.policy.probs, **close)
        torch.testing.assert_close(found.value, expected.value, **close)
        torch.testing.assert_close(found.latent, expected.latent, **close)
        difference = found.reconstruction.round() - model.reconstruct(obs)
        assert difference.abs().max() <= 1  # of 255 levels
        assert found.reconstruction.shape == obs.shape
    assert found.probabilities.max() > 0.3  # it is not indifferent: the numbers mean something
    assert found.latent.std(dim=0).max() > 0.01


def test_onnx_tells_its_names_shapes_and_how_its_input_is_made(run_dir: Path, tmp_path: Path):
    path = tmp_path / "policy.onnx"
    assert export.main(["--checkpoint", str(run_dir), "--onnx", str(path)]) == 0
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    assert (given.name, given.type) == ("obs", "tensor(uint8)")
    assert given.shape == ["batch", 4, 64, 144]
    assert {part.name: part.shape for part in session.get_outputs()} == {
        "probabilities": ["batch", 14],
        "value": ["batch"],
        "latent": ["batch", 64],
        "reconstruction": ["batch", 4, 64, 144],
    }
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["projection"]) == {
        "background": [[66, 72, 200], [180, 122, 48]], "artifacts": [[74, 74, 74]]
    }  # fmt: skip
    assert json.loads(told["env"]) == {
        "repeat_action_probability": 0.25, "frameskip": 4, "max_episode_frames": 400
    }  # fmt: skip
    assert json.loads(told["training"])["steps"] == 32
    assert json.loads(told["evaluation"])["episodes"] == 2
    model = onnx.load(path)
    assert [(part.domain, part.version) for part in model.opset_import] == [("", 18)]
    # Nobody needs to know where it was made, and twice made it is the same.
    assert str(Path(export.__file__).parent).encode() not in path.read_bytes()
    again = tmp_path / "again.onnx"
    assert export.main(["--checkpoint", str(run_dir), "--onnx", str(again)]) == 0
    assert again.read_bytes() == path.read_bytes()


def test_the_directory_holds_the_policy_and_how_it_scored(run_dir: Path, tmp_path: Path, capsys):
    path = tmp_path / "policy"
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(path)]) == 0
    assert f"wrote {path}: README.md, config.json, model.safetensors" in capsys.readouterr().out
    policy, trained = DeployedPolicy.from_pretrained(path), load_trained(run_dir)
    for name, value in trained.model.state_dict().items():
        assert torch.equal(policy.network.state_dict()[name], value)
    assert policy.config.model == trained.model.config
    facts = policy.config.training
    assert (facts.algorithm, facts.seed, facts.steps) == ("ppo", 1, 32)
    assert facts.seconds == trained.counters.seconds
    assert (facts.reward_scale, facts.reward_clip, facts.artifact_weight) == (0.01, (-1, 10), 20)
    result = json.loads((run_dir / "evaluation.json").read_text())
    scored = policy.config.evaluation
    assert scored
    assert (scored.episodes, scored.mean) == (2, np.mean(result["scores"]))
    assert scored.std == np.std(result["scores"])
    assert list(scored.ci95) == result["ci95"]
    card = ModelCard.load(path / "README.md")
    assert "In 2 whole games (seed 1000000" in card.text
    (entry,) = card.data.eval_results
    assert entry.metric_value == f"{scored.mean:.2f} +/- {scored.std:.2f}"
    assert {one.name for one in tmp_path.iterdir()} == {"policy", "run"}


def test_a_score_is_that_of_the_policy_or_none(run_dir: Path, tmp_path: Path, capsys):
    # evaluation.json judges the policy after its own number of steps, not an older one.
    file = run_dir / "evaluation.json"
    result = json.loads(file.read_text())
    file.write_text(json.dumps({**result, "steps": 48}))
    path = checkpoints.numbered(run_dir)[-1]
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "other")]) == 0
    assert "32 steps, not evaluated" in capsys.readouterr().out
    assert DeployedPolicy.from_pretrained(tmp_path / "other").config.evaluation is None
    file.write_text(json.dumps(result))
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "judged")]) == 0
    assert "32 steps, mean score" in capsys.readouterr().out
    file.unlink()
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "none")]) == 0
    assert "has not been judged" in (tmp_path / "none" / "README.md").read_text()


@pytest.mark.parametrize(
    "text", ["not JSON", "[]", '{"steps": 32}', '{"steps": 32, "scores": "x"}']
)
def test_an_evaluation_that_cannot_be_read_is_named(
    run_dir: Path, tmp_path: Path, capsys, text: str
):
    file = run_dir / "evaluation.json"
    file.write_text(text)
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 2
    assert capsys.readouterr().err == f"error: {file}: not an evaluation that train.py wrote\n"
    assert not (tmp_path / "policy").exists()


def test_a_newer_checkpoint_that_is_damaged_is_told(run_dir: Path, tmp_path: Path, capsys):
    checkpoints.numbered(run_dir)[-1].write_bytes(b"damaged")
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 0
    out = capsys.readouterr().out
    assert "damaged or not a checkpoint" in out
    assert "16 steps, not evaluated" in out


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "onnx or hub must be given, got neither"),
        (["--onnx", "policy.bin"], "onnx must be a file .onnx that can be written, got policy.bin"),
        (["--onnx", "nowhere/policy.onnx"], "onnx must be a file .onnx that can be written"),
        (["--onnx", "x" * 5000 + ".onnx"], "onnx must be a file .onnx that can be written"),
        (["--onnx", "null\0byte.onnx"], "onnx must be a file .onnx that can be written"),
        (["--hub", "."], "hub must be a directory that is not there yet, got ."),
        (["--hub", "file"], "hub must be a directory that is not there yet, got file"),
        (["--hub", "nowhere/policy"], "hub must be a directory that is not there yet, got nowhere"),
        (["--hub", "null\0byte"], "hub must be a directory that is not there yet"),
    ],
    ids=lambda value: str(value)[:40].replace("\0", "0"),
)
def test_bad_flags_end_at_once_with_code_2(
    tmp_path: Path, monkeypatch, capfd, flags: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert exit_code(["--checkpoint", "run", *flags]) == 2
    printed = capfd.readouterr()
    assert message in " ".join((printed.out + printed.err).replace("│", " ").split())
    assert "Traceback" not in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path, capsys):
    path = tmp_path / "none.safetensors"
    assert export.main(["--checkpoint", str(path), "--onnx", str(tmp_path / "policy.onnx")]) == 2
    assert capsys.readouterr().err == f"error: {path}: no such checkpoint\n"


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("flag", "missing"),
    [("onnx", "onnx"), ("onnx", "onnxscript"), ("onnx", "huggingface_hub"),
     ("hub", "huggingface_hub")],
)  # fmt: skip
def test_a_missing_package_is_named_with_the_extra(
    tmp_path: Path, monkeypatch, capsys, flag: str, missing: str
):
    monkeypatch.setattr(export, "find_spec", lambda name: name != missing or None)
    target = tmp_path / ("policy.onnx" if flag == "onnx" else "policy")
    assert export.main(["--checkpoint", "run", f"--{flag}", str(target)]) == 2
    error = capsys.readouterr().err
    assert error == f'error: {flag} needs {missing}: pip install -e ".[interop]"\n'


def test_what_the_other_output_needs_is_not_missed(run_dir: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: "onnx" not in name or None)
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 0


def test_a_full_disk_leaves_nothing_half_written(
    run_dir: Path, tmp_path: Path, monkeypatch, capsys
):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DeployedPolicy, "generate_model_card", full)  # the last of three files
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 1
    error = capsys.readouterr().err
    assert f"{tmp_path / 'policy'} cannot be written" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

    path = tmp_path / "policy.onnx"
    path.write_bytes(b"an older one")
    monkeypatch.setattr("os.fsync", full)
    assert export.main(["--checkpoint", str(run_dir), "--onnx", str(path)]) == 1
    assert f"{path} cannot be written" in capsys.readouterr().err
    assert path.read_bytes() == b"an older one"
    assert {one.name for one in tmp_path.iterdir()} == {"run", "policy.onnx"}


def run_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a command; another test may have imported it."""
    monkeypatch.delitem(sys.modules, "examples.sb3_features", raising=False)
    runpy.run_module("examples.sb3_features", run_name="__main__")


@pytest.mark.parametrize("flags", [[], ["--train-encoder"]])
def test_the_example_trains_stable_baselines3(run_dir: Path, monkeypatch, capsys, flags: list[str]):
    argv = ["sb3_features", "--checkpoint", str(run_dir), "--total-steps", "1", *flags]
    monkeypatch.setattr(sys, "argv", argv)
    run_example(monkeypatch)
    out = capsys.readouterr().out
    # Games as the checkpoint plays them, with 100 agent steps each, eight at a time.
    assert re.fullmatch(r"1,024 steps; mean of the last 8 games: [\d,]+ points\n", out)


def test_the_example_refuses_a_checkpoint_that_is_not_there(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sb3_features", "--checkpoint", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="2"):
        run_example(monkeypatch)
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: no such checkpoint\n"
