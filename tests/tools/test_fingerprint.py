"""Fingerprints tell what was computed, and nothing else."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter

from experiment.command_line import exit_code
from monitoring.monitor import Monitor
from tools import fingerprint

PARAMETERS = {
    "model.a": torch.arange(6.0).view(2, 3),
    "model.b": torch.zeros(4),
    "model.count": torch.tensor(2**40),
}
SCALARS = {"loss/policy": 0.5, "speed/steps_per_second": 100.0}
Events = Callable[[SummaryWriter], object]
Fingerprint = Callable[..., tuple[str, str]]


def write_scalars(writer: SummaryWriter, steps: int = 16, **changed: float) -> None:
    for tag, value in (SCALARS | changed).items():
        writer.add_scalar(tag, value, steps)


@pytest.fixture
def fingerprint_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Fingerprint:
    """Makes a run of its own with one checkpoint and one event file; returns its two hashes."""

    def of(parameters: dict[str, Tensor], events: Events = write_scalars) -> tuple[str, str]:
        run_dir = tmp_path / f"run_{len(list(tmp_path.iterdir()))}"
        (run_dir / "checkpoints").mkdir(parents=True)
        save(run_dir, 16, parameters)
        with SummaryWriter(run_dir / "tensorboard") as writer:
            events(writer)
        return printed(run_dir)

    def printed(run_dir: Path) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["fingerprint", str(run_dir)])
        assert exit_code(fingerprint.main) == 0
        trained, logged = (line.split()[1] for line in capsys.readouterr().out.splitlines())
        return trained, logged

    return of


def save(run_dir: Path, steps: int, parameters: dict[str, Tensor]) -> None:
    path = run_dir / "checkpoints" / f"steps_{steps:012d}.safetensors"
    safetensors.torch.save_file(parameters, path)


def test_the_same_training_has_the_same_fingerprint(fingerprint_of: Fingerprint):
    assert fingerprint_of(PARAMETERS) == fingerprint_of(PARAMETERS)


@pytest.mark.parametrize(
    "other",
    [
        {"model.z": PARAMETERS["model.a"], "model.y": PARAMETERS["model.b"]},
        {"model.a": PARAMETERS["model.b"], "model.b": PARAMETERS["model.a"]},
        {**PARAMETERS, "optimizer.0.exp_avg": torch.ones(4)},
    ],
    ids=["other names", "names exchanged", "an optimizer"],
)
def test_neither_names_nor_what_is_no_parameter_count(fingerprint_of: Fingerprint, other):
    same = {"model.count": PARAMETERS["model.count"], **other}
    assert fingerprint_of(same) == fingerprint_of(PARAMETERS)


@pytest.mark.parametrize(
    "changed",
    [
        {"model.b": torch.tensor([0.0, 0.0, 0.0, 2.0**-149])},  # the least that there is
        {"model.b": torch.zeros(4, dtype=torch.int32)},
        {"model.a": PARAMETERS["model.a"].view(3, 2)},
        {"model.count": torch.tensor(2**40 + 1)},
        {"model.c": torch.zeros(1)},
    ],
    ids=["value", "type", "shape", "integer", "one more"],
)
def test_another_parameter_is_another_hash(fingerprint_of: Fingerprint, changed):
    trained, logged = fingerprint_of(PARAMETERS)
    other, same = fingerprint_of({**PARAMETERS, **changed})
    assert other != trained
    assert same == logged


def test_the_speed_does_not_count(fingerprint_of: Fingerprint):
    def slower(writer: SummaryWriter) -> None:
        write_scalars(writer, **{"speed/steps_per_second": 1.0})

    def not_measured(writer: SummaryWriter) -> None:
        writer.add_scalar("loss/policy", 0.5, 16, walltime=time.time() - 3600)

    original = fingerprint_of(PARAMETERS)
    assert fingerprint_of(PARAMETERS, slower) == original
    assert fingerprint_of(PARAMETERS, not_measured) == original


@pytest.mark.parametrize(
    "events",
    [
        lambda writer: write_scalars(writer, **{"loss/policy": 0.25}),
        lambda writer: write_scalars(writer, steps=32),
        lambda writer: [write_scalars(writer), write_scalars(writer)],
        lambda writer: writer.add_scalar("loss/value", 0.5, 16),
        lambda writer: [
            write_scalars(writer),
            writer.add_image("game/film", np.zeros((3, 8, 8), np.uint8), 16),
        ],
        lambda writer: [
            write_scalars(writer),
            writer.add_histogram("latent/activations", np.arange(9.0), 16),
        ],
        lambda _: None,
    ],
    ids=["value", "step", "twice", "tag", "image", "histogram", "none"],
)
def test_every_other_event_counts(fingerprint_of: Fingerprint, events: Events):
    trained, logged = fingerprint_of(PARAMETERS)
    same, other = fingerprint_of(PARAMETERS, events)
    assert same == trained
    assert other != logged


def test_pictures_count_by_their_content(fingerprint_of: Fingerprint):
    def picture(level: int) -> Events:
        return lambda writer: writer.add_image("x", np.full((3, 8, 8), level, np.uint8), 16)

    def logged(level: int) -> str:
        return fingerprint_of(PARAMETERS, picture(level))[1]

    assert logged(1) == logged(1) != logged(2)


def test_place_time_and_config_do_not_count(tmp_path: Path):
    def hash_of(name: str, seconds: float, lr: float, score: float) -> str:
        monitor = Monitor(tmp_path / name, 0, pytest.fail)
        monitor.begin({"run_dir": name, "lr": lr}, {"lr"}, f"train.py --run-dir {name}", 0)
        monitor.end({"minutes": seconds / 60, "score": score}, 16)
        monitor.close()
        digest, count = fingerprint.hash_events([*(tmp_path / name).glob("events.*")])
        assert count == 2  # the layout of the charts, and the score
        return digest

    assert hash_of("a", 60.0, 0.1, 500.0) == hash_of("b", 90.0, 0.2, 500.0)
    assert hash_of("c", 60.0, 0.1, 500.0) != hash_of("d", 60.0, 0.1, 600.0)


def test_the_newest_checkpoint_and_all_event_files_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    (tmp_path / "checkpoints").mkdir()
    hashes: list[str] = []
    for steps in (16, 32):
        save(tmp_path, steps, {"model.a": torch.full((2,), float(steps))})
        # The second file is named after the same second of the clock.
        with SummaryWriter(tmp_path / "tensorboard", filename_suffix=str(steps)) as writer:
            write_scalars(writer, steps)
        monkeypatch.setattr("sys.argv", ["fingerprint", str(tmp_path)])
        fingerprint.main()
        hashes += [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert len(set(hashes)) == 4


def test_a_damaged_checkpoint_is_named(tmp_path: Path, monkeypatch, capsys):
    path = tmp_path / "checkpoints" / "steps_000000000016.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    monkeypatch.setattr("sys.argv", ["fingerprint", str(tmp_path)])
    assert exit_code(fingerprint.main) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: damaged or not a checkpoint")


def test_a_directory_without_a_checkpoint_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fingerprint", str(tmp_path)])
    assert exit_code(fingerprint.main) == 2
    assert "run_dir must be a directory with a checkpoint" in capsys.readouterr().err
