"""Command lines: devices, exit codes, output files."""

import subprocess
from pathlib import Path

import pytest
import torch

from agent.ppo import NonFiniteLossError
from experiment.command_line import available_device, check_output, exit_code, install_command
from experiment.errors import UserError
from experiment.files import SaveError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine with two GPUs; returns the numbers of those that were chosen."""
    chosen: list[int] = []

    def set_device(device: object) -> None:
        # As the real one, which raises ValueError for torch.device("cuda").
        assert isinstance(device, int) or getattr(device, "index", None) is not None
        chosen.append(device if isinstance(device, int) else device.index)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)
    return chosen


@pytest.mark.parametrize(
    ("name", "device", "index"),
    [("cpu", "cpu", None), ("cuda", "cuda", 0), ("cuda:0", "cuda", 0), ("cuda:1", "cuda", 1)],
)
def test_a_device_is_found_by_name(two_gpus: list[int], name: str, device: str, index: int | None):
    found = available_device(name)
    assert (found.type, found.index) == (device, index)
    assert two_gpus == ([] if index is None else [index])


@pytest.mark.parametrize(
    "name", ["cuda:2", "cuda:", "cuda:-1", "cuda:1.0", "CUDA", "gpu", "", "mps", "cuda:99999999999"]
)
def test_any_other_device_is_refused_with_those_that_are_there(two_gpus: list[int], name: str):
    with pytest.raises(UserError, match=r"is not available; this machine has cpu, cuda:0, cuda:1$"):
        available_device(name)
    assert two_gpus == []


def test_without_a_gpu_only_the_cpu_is_there():
    if torch.cuda.device_count():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match=r"device cuda is not available; this machine has cpu$"):
        available_device("cuda")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("seed must be x\ny"), 2, "error: seed must be x\\ny\n"),
        (SaveError("disk full"), 1, "error: disk full\n"),
        (NonFiniteLossError("nan"), 1, "error: nan\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_every_expected_end_is_one_line_and_a_code(error, code: int, line: str, capsys):
    def command() -> None:
        raise error

    assert exit_code(command, "stopped") == code
    assert capsys.readouterr().err == line
    assert exit_code(lambda: None) == 0
    assert exit_code(lambda: 143) == 143


def test_an_unexpected_error_is_not_hidden():
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_code(command)


def test_an_output_is_checked_without_leaving_anything(tmp_path: Path):
    path = tmp_path / "below" / "result.json"
    check_output(path)
    assert path.parent.is_dir()
    assert not path.exists()
    path.write_text("old")
    check_output(path)
    assert path.read_text() == "old"
    with pytest.raises(UserError, match="out must be a file that can be written"):
        check_output(path / "no", "out")


def test_an_extra_is_installed_from_any_directory(tmp_path: Path):
    line = install_command("watch") + " --dry-run --no-index --no-deps --no-build-isolation"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Would install knifesight" in done.stdout
