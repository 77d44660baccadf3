"""A user's mistake ends at once, with one clear message and exit code 2."""

from pathlib import Path

import pytest

import evaluate
import train
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics

BAD_FLAGS = [
    (["--nonsense", "1"], "nonsense"),
    (["--seed", "x"], "seed"),
    (["--seed", "-1"], "seed must be from 0"),
    (["--total-steps", "0"], "total_steps must be from 1 to 1000000000000, got 0"),
    (["--num-envs", "-3"], "num_envs must be from 1 to 1024, got -3"),
    (["--image-interval", "0"], "image_interval must be from 1"),
    (["--film-interval", "0"], "film_interval must be from 1 to 1000000000000, got 0"),
    (["--entropy-coef", "0"], "--ppo.entropy-coef"),
    (["--evaluation-games", "-1"], "evaluation_games must be from 0"),
    (["--algorithm", "dqn"], "algorithm"),
    (["--algorithm", "-inf"], "invalid choice '-inf' for argument"),
    (["--device", "tpu"], "device tpu is not available; this machine has cpu"),
    (["--device", "cuda:99"], "device cuda:99 is not available"),
    (["--ppo.reward-clip", "-1", "inf"], "reward_clip must each be from -1000000 to 1000000"),
    (["--ppo.reward-clip", "2", "1"], "reward_clip must be (low, high), got (2.0, 1.0)"),
    (["--ppo.clip", "nan"], "clip must be above 0 and at most 1000000, got nan"),
    (["--ppo.num-steps", "10"], "ppo.num_steps must be a multiple of 4, got 10"),
    (["--ppo.num-minibatches", "9999"], "ppo.num_minibatches must be at most 512"),
    (["--algorithm", "a2c", "--ppo.num-epochs", "2"], "algorithm a2c needs ppo.num_epochs 1"),
    (["--weights.empty", "0"], "empty must be from 0.000001"),
    (["--detector.surround", "0"], "surround must be from 1 to 16"),
    (["--env.frameskip", "0"], "frameskip must be from 1 to 60"),
    (["--model.autoencoder.encoder.latent-dim", "0"], "latent_dim must be from 1 to 1024"),
    (["--model.branch-units", "0"], "branch_units must be from 1 to 4096"),
    (
        ["--num-envs", "1024", "--ppo.num-minibatches", "1"],
        "num_envs * ppo.num_steps / ppo.num_minibatches must be at most 8192, got 1024 * 64 / 1",
    ),
    (["--num-envs", "1024", "--ppo.num-steps", "1024"], "num_envs * ppo.num_steps must be at most"),
    (["--model.experts", "9"], "experts must be from 1 to 8, got 9"),
    (
        ["--model.experts", "2", "--model.expert-by", "floor"],
        "expert_by must be a gauge of the game (health, opponent, stage, lives, clock, way), got",
    ),
    (["--model.gradients.value", "expert_1"], "must name experts that there are (none with"),
    (["--autoencoder-from", "nowhere"], "nowhere: no such checkpoint"),
    (["--backbone-weights", "a.pth"], "backbone_weights needs model.autoencoder.encoder.backbone"),
    (
        ["--model.autoencoder.encoder.backbone", "resnet18", "--backbone-weights", "a.pth"],
        "backbone_weights must be a file, got a.pth",
    ),
    (["--resume"], "holds no checkpoint"),
]


@pytest.fixture
def no_games(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input must end before any environment starts."""

    def started(*_: object) -> None:
        pytest.fail("an environment was started")

    monkeypatch.setattr(train, "make_env_parts", started)
    monkeypatch.setattr(train, "SingleEnv", started)
    monkeypatch.setattr(evaluate, "make_logged_envs", started)


def exit_code(main, flags: list[str]) -> int:
    """Of a command line that may leave through tyro."""
    try:
        return main(flags)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.usefixtures("no_games")
@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS, ids=lambda value: str(value)[:40])
def test_bad_flags_end_at_once_with_code_2(tmp_path: Path, capfd, flags: list[str], message: str):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    assert exit_code(train.main, ["--run-dir", str(run_dir), *flags]) == 2
    printed = capfd.readouterr()
    text = " ".join((printed.out + printed.err).replace("│", " ").split())
    assert message in text
    assert "Traceback" not in text
    assert not list(run_dir.iterdir())


@pytest.mark.usefixtures("no_games")
def test_bad_run_directories_are_refused(tmp_path: Path, capsys):
    taken, file = tmp_path / "taken", tmp_path / "file"
    taken.mkdir()
    (taken / "config.json").write_text("{}")
    finished = tmp_path / "finished"
    RunDirectory(finished).save({}, {}, RunStatistics(steps=16))
    file.write_text("")
    for run_dir, message in (
        (taken, "already holds a run; go on with --resume or choose another"),
        (finished, "already holds a run; go on with --resume or choose another"),
        (file, "cannot be written"),
        (file / "below", "cannot be written"),
    ):
        assert train.main(["--run-dir", str(run_dir)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert (taken / "config.json").read_text() == "{}"


def test_an_error_is_one_line_even_if_a_value_has_two(tmp_path: Path, capsys):
    assert train.main(["--run-dir", f"{tmp_path}/a\nb", "--resume"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"without control codes, got '{tmp_path}/a\\nb'" in error


@pytest.mark.usefixtures("no_games")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--episodes", "0"], "episodes must be from 1 to 10000, got 0"),
        (["--seed", "-1"], "seed must be from 0"),
        (["--video", "game.avi"], "video must end in .mp4, got game.avi"),
        (["--json", "nowhere/result.json"], "result.json: nowhere is not there"),
        (["--markdown", "nowhere/page.md"], "markdown must be a file that can be written"),
        (["--json", "/dev/null"], "got /dev/null: it is a device"),
        (["--json", "x" * 252], "x: its name is too long"),
        (["--checkpoint", "other"], "checkpoint must be given once, with all paths behind it"),
        (["more", "--video", "game.mp4"], "video and watch need one checkpoint, got 2"),
        (["--json", "null\0byte.json"], "json must be a path in UTF-8 without control codes"),
        (["--json", "x" * 5000], "json must be a file that can be written"),
        ([], "no such checkpoint"),
    ],
)
def test_evaluate_refuses_bad_input(tmp_path: Path, capfd, flags: list[str], message: str):
    path = tmp_path / "none.safetensors"
    assert exit_code(evaluate.main, ["--checkpoint", str(path), *flags]) == 2
    printed = capfd.readouterr()
    assert message in " ".join((printed.out + printed.err).replace("│", " ").split())


@pytest.mark.usefixtures("no_games")
def test_evaluate_and_resume_refuse_damaged_checkpoints(tmp_path: Path, capsys):
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "steps_000000000016.safetensors"
    path.write_bytes(b"damaged")
    for main, flags in (
        (evaluate.main, ["--checkpoint", str(path)]),
        (train.main, ["--run-dir", str(tmp_path), "--resume"]),
    ):
        assert main(flags) == 2
        error = capsys.readouterr().err
        assert f"{path}: damaged or not a checkpoint" in error
        assert error.count("\n") == 1
