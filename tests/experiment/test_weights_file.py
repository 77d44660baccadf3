"""Weights come from a file here, or from the Hub's cache, or one clear line says why not."""

from pathlib import Path

import huggingface_hub
import pytest

from experiment.errors import UserError
from experiment.weights_file import weights_file


def test_a_file_on_this_machine_is_itself(tmp_path: Path):
    (tmp_path / "a.pth").write_bytes(b"1")
    assert weights_file(f"{tmp_path}/a.pth") == tmp_path / "a.pth"
    for wrong in (f"{tmp_path}/b.pth", str(tmp_path)):
        with pytest.raises(UserError, match=f"backbone_weights must be a file, got {wrong}"):
            weights_file(wrong)


def test_a_file_on_the_hub_is_asked_for_by_repository_and_name(tmp_path: Path, monkeypatch):
    asked: list[tuple[str, str]] = []

    def download(repository: str, file: str) -> str:
        asked.append((repository, file))
        return f"{tmp_path}/cached"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    found = weights_file("hf://somebody/resnet/folder/model.safetensors")
    assert found == tmp_path / "cached"
    assert asked == [("somebody/resnet", "folder/model.safetensors")]


def test_a_file_in_the_hub_s_cache_needs_no_network(tmp_path: Path, monkeypatch):
    repository = tmp_path / "models--somebody--resnet"
    commit = "0" * 40
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit / "model.pth").write_bytes(b"weights")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert weights_file("hf://somebody/resnet/model.pth").read_bytes() == b"weights"
    with pytest.raises(UserError, match=r"resnet/other\.pth cannot be had"):
        weights_file("hf://somebody/resnet/other.pth")


@pytest.mark.parametrize("name", ["hf://", "hf://somebody", "hf://somebody/resnet"])
def test_half_a_name_on_the_hub_is_refused(name: str):
    with pytest.raises(UserError, match="must be hf://OWNER/NAME/FILE"):
        weights_file(name)
