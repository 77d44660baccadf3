"""A run's directory: one process at a time, nothing lost, nothing mixed up."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from experiment.checkpoint import FORMAT, Checkpoint, CheckpointError, write_checkpoint
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.files import SaveError
from experiment.run_directory import RunDirectory, load_checkpoint
from experiment.run_statistics import RECENT_GAMES, RunStatistics
from settings import to_json

STATE: dict[str, Any] = {"config": {"seed": 3}}


def save(path: Path, steps: int, value: float = 1.0, scores: tuple[float, ...] = ()) -> None:
    """A checkpoint of one number after so many steps and games."""
    statistics = RunStatistics(steps=steps, recent=deque(scores))
    statistics.best = RunDirectory(path).best_score()
    RunDirectory(path).save({"x": torch.full((1,), value)}, STATE, statistics)


def names(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "checkpoints").iterdir())


def claim(path: Path, resumed: Checkpoint | None = None, *, resume: bool = False) -> None:
    """Claim the directory for a moment."""
    config = TrainConfig(run_dir=path, resume=resume or resumed is not None)
    with RunDirectory(path).claim(config, resumed, print):
        pass


HOLD = """
import sys, time
from pathlib import Path
from experiment.config import TrainConfig
from experiment.run_directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).claim(TrainConfig(), None, print):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_directory_is_one_process_s_until_it_dies(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"is in use by process {other.pid}"):
            claim(tmp_path, resume=True)
        other.kill()  # it has no chance to clean up
    config = TrainConfig(resume=True)
    with RunDirectory(tmp_path).claim(config, None, print):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(UserError, match="in use"):
            claim(tmp_path, resume=True)
    claim(tmp_path, resume=True)


@pytest.mark.parametrize(
    "number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL], ids=errno.errorcode.get
)
def test_a_file_system_without_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    def no_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", no_locks)
    warnings: list[str] = []
    with RunDirectory(tmp_path).claim(TrainConfig(run_dir=tmp_path), None, warnings.append):
        save(tmp_path, 10)
    assert warnings == [
        f"warning: run_dir {tmp_path} cannot be locked ({os.strerror(number)}): "
        "nothing keeps a second training out of it"
    ]
    assert load_checkpoint(tmp_path).path.exists()


def test_a_directory_that_went_away_is_made_anew_and_kept(tmp_path: Path):
    config = TrainConfig(run_dir=tmp_path / "run", seed=7)
    run, statistics = RunDirectory(tmp_path / "run"), RunStatistics(steps=10)
    with run.claim(config, None, print):
        run.path.rename(tmp_path / "elsewhere")
        run.save({"x": torch.ones(1)}, STATE, statistics)
        assert run.read_config() == config
        with pytest.raises(UserError, match=f"is in use by process {os.getpid()}"):
            claim(run.path, load_checkpoint(run.path))
        # Whoever has begun there in between keeps what is his.
        shutil.rmtree(run.path)
        claim(run.path)
        statistics.steps = 20
        for _ in range(2):  # not even the second time
            with pytest.raises(SaveError, match="holds another run by now"):
                run.save({"x": torch.ones(1)}, STATE, statistics)
        assert run.numbered() == []


def test_the_directory_of_checkpoints_means_its_run(tmp_path: Path, monkeypatch):
    save(tmp_path, 10)
    save(tmp_path, 20)
    for path in (tmp_path / "checkpoints", tmp_path / "checkpoints" / ".." / "checkpoints"):
        assert load_checkpoint(path).path.name == "steps_000000000020.safetensors"
    monkeypatch.chdir(tmp_path / "checkpoints")
    assert load_checkpoint(Path()).path.name == "steps_000000000020.safetensors"
    # But a training has the run's directory, and no run lies within another.
    with pytest.raises(UserError, match=rf"run_dir must be .* the checkpoints of {tmp_path}$"):
        claim(tmp_path / "checkpoints")
    assert names(tmp_path) == ["steps_000000000010.safetensors", "steps_000000000020.safetensors"]


def test_a_link_to_nothing_is_named_as_one(tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    reason = f"{link} is a link to {tmp_path / 'gone'}, which is not there"
    for path in (link, link / "below"):
        with pytest.raises(UserError, match=f"run_dir {path} cannot be written: {reason}"):
            claim(path)
    with pytest.raises(CheckpointError, match=rf"{link}: no such checkpoint \({reason}\)"):
        load_checkpoint(link)
    claim(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "gone")
    with pytest.raises(SaveError, match=r"checkpoints is a link to .*gone, which is not there"):
        save(tmp_path / "run", 10)


def test_a_directory_that_holds_a_run_is_not_started_anew(tmp_path: Path):
    claim(tmp_path)
    with pytest.raises(UserError, match="already holds a run; go on with --resume or choose"):
        claim(tmp_path)
    (tmp_path / "config.json").unlink()
    claim(tmp_path)  # a lock alone is no run
    (tmp_path / "config.json").unlink()
    save(tmp_path, 10)
    with pytest.raises(UserError, match="already holds a run"):
        claim(tmp_path)


def test_a_run_that_went_on_since_it_was_read_is_not_resumed(tmp_path: Path):
    claim(tmp_path)
    save(tmp_path, 10)
    with pytest.raises(UserError, match="was trained on just now; resume once more"):
        claim(tmp_path, resume=True)  # it was read when it had no checkpoint
    stale = load_checkpoint(tmp_path)
    save(tmp_path, 10, value=2.0)  # the same steps, learned again
    with pytest.raises(UserError, match="was trained on just now"):
        claim(tmp_path, stale)
    stale = load_checkpoint(tmp_path)
    save(tmp_path, 20)
    with pytest.raises(UserError, match="was trained on just now"):
        claim(tmp_path, stale)
    claim(tmp_path, load_checkpoint(tmp_path))


def test_a_run_without_a_checkpoint_has_its_config_to_start_again(tmp_path: Path):
    run = RunDirectory(tmp_path / "run")
    assert not run.ended_early()
    config = TrainConfig(run_dir=run.path, seed=7, num_envs=3)
    with run.claim(config, None, print):
        pass
    assert run.ended_early()
    assert run.read_config() == config
    # Half a file is no checkpoint, but a checkpoint that was set aside or is the best one is:
    # such a run has lost something, and does not silently start again.
    run.checkpoints.mkdir()
    (run.checkpoints / ".steps_000000000010.safetensors.tmp").write_bytes(b"half")
    assert run.ended_early()
    for name in ("steps_000000000010.safetensors", "best.safetensors", "steps_0.unusable"):
        (run.checkpoints / name).write_bytes(b"")
        assert not run.ended_early()
        (run.checkpoints / name).unlink()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no config of this program: Expecting property name"),
        ("[]", "it must be an object with fields, got list"),
        (json.dumps(to_json(TrainConfig()) | {"sed": 1}), "sed is unknown"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_config_that_is_none_is_named(tmp_path: Path, text: str | None, message: str):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=rf"{tmp_path}/config\.json .*{message}"):
        RunDirectory(tmp_path).read_config()


def test_a_failed_save_drops_no_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for steps in (10, 20):
        save(tmp_path, steps)
    before = {path: path.read_bytes() for path in RunDirectory(tmp_path).numbered()}

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    run, statistics = RunDirectory(tmp_path), RunStatistics(steps=30)
    statistics.recent.extend([100.0] * RECENT_GAMES)
    run.newest = run.numbered()[-1]
    with pytest.raises(SaveError, match=rf"No space .*; the latest checkpoint is {run.newest}"):
        run.save({"x": torch.ones(1)}, STATE, statistics)
    assert statistics.best is None  # the best that was not written does not count
    assert {path: path.read_bytes() for path in run.numbered()} == before


def test_the_latest_two_and_the_best_are_kept(tmp_path: Path):
    save(tmp_path, 5, value=5.0, scores=(7.0,) * RECENT_GAMES)
    for steps in (10, 20, 1_000):
        save(tmp_path, steps, value=steps, scores=(3.0,) * RECENT_GAMES)
    assert names(tmp_path) == [
        "best.safetensors",
        "steps_000000000020.safetensors",
        "steps_000000001000.safetensors",
    ]
    assert load_checkpoint(tmp_path).tensors["x"].item() == 1000
    assert load_checkpoint(tmp_path / "checkpoints" / "best.safetensors").tensors["x"].item() == 5
    assert RunDirectory(tmp_path).best_score() == 7.0


def test_the_best_rests_on_a_full_window_of_games_and_may_be_negative(tmp_path: Path):
    few = (90_000.0,) * (RECENT_GAMES - 1)
    save(tmp_path, 10, scores=few)
    assert "best.safetensors" not in names(tmp_path)  # lucky games are no evidence
    assert RunDirectory(tmp_path).best_score() is None
    for steps, score, best in ((20, -5.0, -5.0), (30, -7.0, -5.0), (40, -3.0, -3.0)):
        save(tmp_path, steps, value=steps, scores=(score,) * RECENT_GAMES)
        assert RunDirectory(tmp_path).best_score() == best
    save(tmp_path, 50, value=50, scores=(-3.0,) * RECENT_GAMES)  # as good is not better
    assert load_checkpoint(RunDirectory(tmp_path).best).tensors["x"].item() == 40


def test_a_half_written_temporary_file_is_never_loaded(tmp_path: Path):
    save(tmp_path, 10)
    (tmp_path / "checkpoints" / ".steps_000000000020.safetensors.tmp").write_bytes(b"half")
    assert load_checkpoint(tmp_path).path.name == "steps_000000000010.safetensors"


def damage(path: Path, kind: str) -> None:
    """Replace a good checkpoint by one that cannot be used."""
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif kind == "foreign":
        safetensors.torch.save_file({"x": torch.ones(1)}, path)
    elif kind == "newer":
        checkpoint = {"format": FORMAT, "version": "999", "state": "{}"}
        safetensors.torch.save_file({"x": torch.ones(1)}, path, checkpoint)
    else:
        write_checkpoint(path, {"x": torch.ones(7)}, STATE)


def one_number(checkpoint: Checkpoint) -> None:
    """A program that wants a tensor x of one number."""
    if checkpoint.tensors["x"].shape != (1,):
        raise CheckpointError(f"{checkpoint.path}: tensor x has another shape")


DAMAGES = ["truncated", "empty", "flipped", "foreign", "newer", "wrong shape"]


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_newest_usable_checkpoint_is_loaded_and_others_are_named(tmp_path: Path, kind: str):
    for steps in (10, 20):
        save(tmp_path, steps, value=steps)
    older, newer = RunDirectory(tmp_path).numbered()
    damage(newer, kind)
    found = load_checkpoint(tmp_path, one_number)
    assert found.tensors["x"].item() == 10
    ((path, reason),) = found.unusable
    assert path == newer
    assert reason.startswith(f"{newer}: ")
    # Alone, or beside another damaged one, it is an error that names all.
    with pytest.raises(CheckpointError, match=str(newer)):
        load_checkpoint(newer, one_number)
    damage(older, kind)
    with pytest.raises(CheckpointError, match=rf"{newer}.*{older}.*no older one is there"):
        load_checkpoint(tmp_path, one_number)


def test_a_claim_cleans_up_half_written_files_and_sets_unusable_ones_aside(tmp_path: Path):
    claim(tmp_path)
    for steps in (10, 20):
        save(tmp_path, steps)
    older, newer = RunDirectory(tmp_path).numbered()
    newer.write_bytes(b"damaged")
    orphans = ["checkpoints/.steps_000000000030.safetensors.tmp", ".config.json.tmp"]
    for orphan in (*orphans, ".evaluation.json.tmp"):
        (tmp_path / orphan).write_bytes(b"half")
    claim(tmp_path, load_checkpoint(tmp_path))
    assert names(tmp_path) == [older.name, "steps_000000000020.unusable"]
    assert load_checkpoint(tmp_path).unusable == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints", "config.json", "lock",
    ]  # fmt: skip


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load_checkpoint(tmp_path)


def test_an_evaluation_is_of_one_checkpoint_alone(tmp_path: Path):
    run = RunDirectory(tmp_path)
    save(tmp_path, 10)
    judged = run.latest()
    assert run.read_evaluation(judged) is None
    run.write_evaluation({"checkpoint": judged.digest, "mean": 5.0})
    assert run.read_evaluation(judged) == {"checkpoint": judged.digest, "mean": 5.0}
    # Trained again to the same number of steps, it is another policy.
    save(tmp_path, 10, value=2.0)
    with pytest.raises(UserError, match=r"evaluation\.json is of another checkpoint than "):
        run.read_evaluation(run.latest())
    for content in ("", "[]", "7", '{"steps": 10}'):
        run.evaluation.write_text(content)
        with pytest.raises(UserError, match=r"evaluation\.json is no evaluation of a run"):
            run.read_evaluation(judged)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match=f"run_dir {path} cannot be written"):
            claim(path)


def test_the_config_of_the_last_start_is_kept(tmp_path: Path):
    claim(tmp_path)
    save(tmp_path, 10)
    config = replace(TrainConfig(), run_dir=tmp_path, resume=True, total_steps=99)
    with RunDirectory(tmp_path).claim(config, load_checkpoint(tmp_path), print):
        pass
    assert RunDirectory(tmp_path).read_config().total_steps == 99


def test_the_run_of_a_checkpoint_is_found_wherever_one_stands(tmp_path: Path, monkeypatch):
    save(tmp_path, 10)
    monkeypatch.chdir(tmp_path / "checkpoints")
    found = RunDirectory.of(Path("steps_000000000010.safetensors"))
    assert found.evaluation == tmp_path / "evaluation.json"
