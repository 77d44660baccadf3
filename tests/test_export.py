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

import evaluate
import export
import train
from agent.actor_critic import ActorCritic
from envs import KUNG_FU_MASTER as GAME
from experiment import training_state
from experiment.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from experiment.command_line import check_resumable, install_command
from experiment.run_directory import RunDirectory, load_checkpoint
from experiment.trained_agent import TrainedAgent, load_agent
from interop.policy import ExportedPolicy, PolicyOutput
from tests.interop.exported import PROJECTION, fit, real_gauges, real_observations
from tests.test_train import TINY


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny training with two evaluated short games, whose policy is not indifferent."""
    run_dir = tmp_path_factory.mktemp("export") / "run"
    flags = ["--total-steps", "32", "--evaluation-games", "2", "--env.max-episode-frames", "400"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_state, "calibrate", lambda *_: PROJECTION)
        assert train.main(["--run-dir", str(run_dir), *flags, *TINY]) == 0
    checkpoint = load_checkpoint(run_dir)
    model = load_agent(run_dir).model
    fit(model)
    model_tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    write_checkpoint(checkpoint.path, {**checkpoint.tensors, **model_tensors}, checkpoint.state)
    # As if its evaluation had been this policy's.
    report = json.loads((run_dir / "evaluation.json").read_text())
    report["checkpoint"] = load_checkpoint(run_dir).digest
    RunDirectory(run_dir).write_evaluation(report)
    return run_dir


@pytest.fixture
def run_dir(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input must end before anything is loaded."""
    monkeypatch.setattr(export, "load_agent", lambda *_: pytest.fail("a checkpoint was loaded"))


def in_float32(trained: TrainedAgent) -> ActorCritic:
    """The same network without bfloat16."""
    config = trained.model.config
    autoencoder = replace(config.autoencoder, bfloat16=False)
    config = replace(config, autoencoder=autoencoder)
    model = ActorCritic(GAME.obs_shape, GAME.num_actions, config, GAME.gauge_names)
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
    model = in_float32(load_agent(run_dir))
    for count in (1, 2, 3, 40):
        obs, gauges = real_observations(40)[-count:], real_gauges(40)[-count:]
        given = {"obs": obs.numpy(), "gauges": gauges.numpy()}
        found = PolicyOutput(*map(torch.from_numpy, session.run(None, given)))
        expected = model(obs, gauges)
        close = {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(found.probabilities, expected.policy.probs, **close)
        torch.testing.assert_close(found.value, expected.value, **close)
        torch.testing.assert_close(found.latent, expected.latent, **close)
        difference = found.reconstruction.round() - model.autoencoder.reconstruct(obs)
        assert difference.abs().max() <= 1  # of 255 levels
        assert found.reconstruction.shape == obs.shape
    assert found.probabilities.max() > 0.3  # it is not indifferent: the numbers mean something
    assert found.latent.std(dim=0).max() > 0.01


def test_onnx_tells_its_names_shapes_and_how_its_input_is_made(run_dir: Path, tmp_path: Path):
    path = tmp_path / "policy.onnx"
    assert export.main(["--checkpoint", str(run_dir), "--onnx", str(path)]) == 0
    session = onnxruntime.InferenceSession(path)
    assert [(given.name, given.type, given.shape) for given in session.get_inputs()] == [
        ("obs", "tensor(uint8)", ["batch", 4, 64, 144]),
        ("gauges", "tensor(float)", ["batch", 10]),
    ]
    assert {part.name: part.shape for part in session.get_outputs()} == {
        "probabilities": ["batch", 14],
        "value": ["batch"],
        "latent": ["batch", 79],
        "reconstruction": ["batch", 4, 64, 144],
    }
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["projection"]) == {
        "background": [[66, 72, 200], [180, 122, 48]], "artifacts": [[74, 74, 74]],
        "without_red": False, "compromises": [],
        "levels": [], "backdrop": [], "live": [], "alone": [],
    }  # fmt: skip
    assert json.loads(told["env"]) == {
        "game": "kung_fu_master", "play_area": None,
        "repeat_action_probability": 0.25, "frameskip": 4, "max_episode_frames": 400,
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


def test_weights_alone_play_and_no_training_goes_on_from_them(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "small.safetensors"
    assert export.main(["--checkpoint", str(run_dir), "--weights", str(path)]) == 0
    assert f"wrote {path}: weights alone" in capsys.readouterr().out
    whole, small = load_agent(run_dir), load_agent(path)
    assert path.stat().st_size < whole.checkpoint.path.stat().st_size / 5
    assert (small.config, small.projection) == (whole.config, whole.projection)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(small.model.state_dict()[name], value, rtol=1e-3, atol=1e-3)
    report = tmp_path / "report.json"
    flags = ["--checkpoint", str(path), "--episodes", "1", "--json", str(report)]
    assert evaluate.main(flags) == 0
    assert json.loads(report.read_text())[0]["steps"] == whole.statistics.steps
    # Put into a run, it is told that there is nothing to go on from.
    run = RunDirectory(run_dir)
    shutil.copy(path, run.numbered()[-1])
    with pytest.raises(CheckpointError, match="it holds weights alone, to play with"):
        check_resumable(read_checkpoint(run.numbered()[-1]))


def test_the_directory_holds_the_policy_and_how_it_scored(run_dir: Path, tmp_path: Path, capsys):
    path = tmp_path / "policy"
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(path)]) == 0
    assert f"wrote {path}: README.md, config.json, model.safetensors" in capsys.readouterr().out
    policy, trained = ExportedPolicy.from_pretrained(path), load_agent(run_dir)
    for name, value in trained.model.state_dict().items():
        assert torch.equal(policy.network.state_dict()[name], value)
    model = policy.config.model
    assert not model.autoencoder.bfloat16
    assert replace(model, autoencoder=trained.model.config.autoencoder) == trained.model.config
    assert (policy.config.game, policy.config.projection) == (GAME, trained.projection)
    assert policy.config.env == trained.config.env
    facts = policy.config.training
    assert (facts.algorithm, facts.seed, facts.steps) == ("ppo", 1, 32)
    assert facts.seconds == trained.statistics.seconds
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
    # Every run of a length ends after the same steps: only the content tells policies apart.
    path = RunDirectory(run_dir).numbered()[-1]
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "judged")]) == 0
    assert "32 steps, mean score" in capsys.readouterr().out
    checkpoint = load_checkpoint(path)
    other = {**checkpoint.tensors, "model.actor.hidden.bias": torch.zeros(128)}
    write_checkpoint(path, other, checkpoint.state)
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "other")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"warning: {run_dir}/evaluation.json is of another checkpoint than {path}" in out
    assert "32 steps, not evaluated" in out
    assert states_no_score(tmp_path / "other")
    RunDirectory(run_dir).evaluation.unlink()
    assert export.main(["--checkpoint", str(path), "--hub", str(tmp_path / "none")]) == 0
    assert "warning" not in capsys.readouterr().out
    assert states_no_score(tmp_path / "none")


@pytest.mark.parametrize(
    "content",
    [b"not JSON", b"\xff\xfe", b"", b"[]", b"null", b"7", b'{"steps": 32, "scores": [1, 2]}'],
)
def test_a_foreign_file_beside_a_lone_checkpoint_is_a_warning(
    run_dir: Path, tmp_path: Path, capsys, content: bytes
):
    # A checkpoint may lie anywhere, and what is called evaluation.json there may be anybody's.
    run = RunDirectory(run_dir)
    run.evaluation.write_bytes(content)
    policy = tmp_path / "policy"
    assert export.main(["--checkpoint", str(run.numbered()[-1]), "--hub", str(policy)]) == 0
    out = capsys.readouterr().out
    assert f"warning: {run.evaluation} is no evaluation of a run\n" in out
    assert "32 steps, not evaluated\n" in out
    assert states_no_score(policy)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("scores", None, "it has no 'scores'"),
        ("scores", [], "it has no 'scores'"),
        ("truncated", None, "it has no 'truncated'"),
        ("ci95", None, "it has no 'ci95'"),
        ("scores", "x", ""),
        ("ci95", 7, ""),
        ("ci95", [1, 2, 3], ""),
        ("mean", "x", ""),
        ("episodes", float("inf"), ""),
    ],
)
def test_an_evaluation_that_is_not_whole_is_a_warning(
    run_dir: Path, tmp_path: Path, capsys, field: str, value: object, reason: str
):
    run = RunDirectory(run_dir)
    report = json.loads(run.evaluation.read_text())  # of the very checkpoint
    whole = {name: value for name, value in report.items() if name != field}
    run.write_evaluation(whole if value is None else {**whole, field: value})
    policy = tmp_path / "policy"
    assert export.main(["--checkpoint", str(run.numbered()[-1]), "--hub", str(policy)]) == 0
    out = capsys.readouterr().out
    assert f"warning: {run.evaluation} is no report of an evaluation: {reason}" in out
    assert "32 steps, not evaluated\n" in out
    assert states_no_score(policy)


def states_no_score(policy: Path) -> bool:
    """Whether neither the config nor the card of an exported directory has a score."""
    card = ModelCard.load(policy / "README.md")
    scores = ExportedPolicy.from_pretrained(policy).config.evaluation, card.data.eval_results
    return scores == (None, None) and "has not been judged" in card.text


def test_a_copy_of_the_judged_checkpoint_has_its_score_too(run_dir: Path, tmp_path: Path, capsys):
    run = RunDirectory(run_dir)
    shutil.copy(run.numbered()[-1], run.best)
    assert export.main(["--checkpoint", str(run.best), "--hub", str(tmp_path / "policy")]) == 0
    assert "32 steps, mean score" in capsys.readouterr().out
    assert not states_no_score(tmp_path / "policy")


def test_a_newer_checkpoint_that_is_damaged_is_told(run_dir: Path, tmp_path: Path, capsys):
    RunDirectory(run_dir).numbered()[-1].write_bytes(b"damaged")
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 0
    out = capsys.readouterr().out
    assert "damaged or not a checkpoint" in out
    assert "16 steps, not evaluated" in out


@pytest.mark.usefixtures("no_checkpoint")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "weights, onnx or hub must be given, got none of them"),
        (["--weights", "policy.pt"], "weights must end in .safetensors, got policy.pt"),
        (["--weights", "nowhere/p.safetensors"], "weights must be a file that can be written"),
        (["--onnx", "policy.bin"], "onnx must end in .onnx, got policy.bin"),
        (["--onnx", "nowhere/policy.onnx"], "onnx: nowhere is not there"),
        (["--onnx", "x" * 5000 + ".onnx"], "onnx: its name is too long"),
        (["--onnx", "null\0byte.onnx"], "onnx must be a path in UTF-8 without control codes"),
        (["--hub", "."], "hub must be a directory that is not there yet, got ."),
        (["--hub", "file"], "hub must be a directory that is not there yet, got file"),
        (["--hub", "nowhere/policy"], "hub must be a directory that can be made, got nowhere"),
        (["--hub", "null\0byte"], "hub must be a path in UTF-8 without control codes"),
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
    assert error == f"error: {flag} needs {missing}: {install_command('interop')}\n"


def test_what_the_other_output_needs_is_not_missed(run_dir: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: "onnx" not in name or None)
    assert export.main(["--checkpoint", str(run_dir), "--hub", str(tmp_path / "policy")]) == 0


def test_a_full_disk_leaves_nothing_half_written(
    run_dir: Path, tmp_path: Path, monkeypatch, capsys
):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ExportedPolicy, "generate_model_card", full)  # the last of three files
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
    with pytest.raises(SystemExit, match="0"):
        run_example(monkeypatch)
    out = capsys.readouterr().out
    # Games as the checkpoint plays them, with 100 agent steps each, eight at a time.
    assert re.fullmatch(r"1,024 steps; mean of the last 8 games: [\d,]+ points\n", out)


def test_the_example_refuses_a_checkpoint_that_is_not_there(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sb3_features", "--checkpoint", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="2"):
        run_example(monkeypatch)
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: no such checkpoint\n"
