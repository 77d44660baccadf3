"""Checkpoints come back whole or not at all."""

import os
import pickle
import stat
from pathlib import Path

import pytest
import safetensors.torch
import torch

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.checkpoint import Checkpoint, CheckpointError, SaveError
from agent.ppo import PPO, PPOConfig
from encoders import ArtifactWeightsConfig, EncoderConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE

STATE = {"config": {"seed": 3}, "counters": {"steps": 7, "recent": [1.0, 2.0]}}


def make(latent_dim: int = 64) -> tuple[ActorCritic, torch.optim.Adam]:
    config = ActorCriticConfig(encoder=EncoderConfig(latent_dim, channels=(4, 4)))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)
    return model, PPO(model, PPOConfig(learning_rate=1e-2), ArtifactWeightsConfig()).optimizer


def learn(model: ActorCritic, optimizer: torch.optim.Adam) -> None:
    """One optimizer step on random data."""
    obs = torch.randint(0, 256, (2, *OBS_SHAPE), dtype=torch.uint8)
    prediction = model(obs)
    loss = prediction.value.sum() + model.decode(prediction.latent).square().mean()
    (loss + prediction.policy.logits.square().sum()).backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_restored_run_goes_on_exactly_as_the_original(tmp_path: Path):
    torch.manual_seed(0)
    model, optimizer = make()
    learn(model, optimizer)
    model.normalizer.update(torch.randint(0, 256, (5, *OBS_SHAPE[1:]), dtype=torch.uint8))
    path = tmp_path / "run" / "a.safetensors"
    checkpoints.save(path, checkpoints.capture(model, optimizer), STATE)
    learn(model, optimizer)  # uses the random state, the moments and the statistics
    torch.manual_seed(99)
    other, other_optimizer = make()
    loaded = checkpoints.load(path)
    assert loaded.state == STATE
    checkpoints.restore(loaded, other, other_optimizer)
    learn(other, other_optimizer)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, {"x": torch.ones(3)}, STATE)
    before = path.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(SaveError, match=r"a\.safetensors cannot be written: No space"):
        checkpoints.save(path, {"x": torch.zeros(3)}, STATE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]  # the space of the failed attempt is free again


def test_bytes_and_names_reach_the_disk_in_this_order(tmp_path: Path, monkeypatch):
    # First the bytes, then the name, then the directory that holds the name.
    happened: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        happened.append("directory" if is_directory else "bytes")
        fsync(descriptor)

    def named(self: Path, target: Path) -> Path:
        happened.append(f"{self.name} to {target.name}")
        return replace(self, target)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    checkpoints.save(tmp_path / "a.safetensors", {"x": torch.ones(3)}, STATE)
    assert happened == ["bytes", ".a.safetensors.tmp to a.safetensors", "directory"]


def test_a_failed_save_drops_no_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for steps in (10, 20):
        checkpoints.save_numbered(tmp_path, steps, {"x": torch.ones(1)}, STATE)
    before = {path: path.read_bytes() for path in checkpoints.numbered(tmp_path)}

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(SaveError):
        checkpoints.save_numbered(tmp_path, 30, {"x": torch.ones(1)}, STATE)
    assert {path: path.read_bytes() for path in checkpoints.numbered(tmp_path)} == before


def test_the_latest_two_and_the_best_are_kept(tmp_path: Path):
    for steps in (10, 20, 1_000, 5):
        checkpoints.save_numbered(tmp_path, steps, {"x": torch.ones(1)}, STATE)
    checkpoints.save_best(tmp_path, {"x": torch.full((1,), 2.0)}, STATE)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == [
        "best.safetensors",
        "steps_000000000020.safetensors",
        "steps_000000001000.safetensors",
    ]
    assert checkpoints.load(tmp_path).path.name == names[-1]


def test_a_half_written_temporary_file_is_never_loaded(tmp_path: Path):
    checkpoints.save_numbered(tmp_path, 10, {"x": torch.ones(1)}, STATE)
    (tmp_path / "checkpoints" / ".steps_000000000020.safetensors.tmp").write_bytes(b"half")
    assert checkpoints.load(tmp_path).path.name == "steps_000000000010.safetensors"


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_files_are_named(tmp_path: Path, length: int):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, {"x": torch.ones(100)}, STATE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"a\.safetensors: damaged or not a checkpoint"):
        checkpoints.load(path)


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path):
    # Every bit of a small file: each makes it unreadable, foreign or of another checksum, except in
    # the padding of the header, where nothing is.
    path = tmp_path / "a.safetensors"
    tensors = {"x": torch.arange(3.0), "y": torch.tensor(True)}
    checkpoints.save(path, tensors, STATE)
    whole = path.read_bytes()
    header_ends = 8 + int.from_bytes(whole[:8], "little")
    padding = range(len(whole[:header_ends].rstrip(b" ")), header_ends)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if bit // 8 not in padding:
            with pytest.raises(CheckpointError, match=r"a\.safetensors: "):
                checkpoints.load(path)


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
        checkpoint = {"format": checkpoints.FORMAT, "version": "999", "state": "{}"}
        safetensors.torch.save_file({"x": torch.ones(1)}, path, checkpoint)
    else:
        checkpoints.save(path, {"x": torch.ones(7)}, STATE)


def one_number(checkpoint: Checkpoint) -> None:
    """A program that wants a tensor x of one number."""
    if checkpoint.tensors["x"].shape != (1,):
        raise CheckpointError(f"{checkpoint.path}: tensor x has another shape")


DAMAGES = ["truncated", "empty", "flipped", "foreign", "newer", "wrong shape"]


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_newest_usable_checkpoint_is_loaded_and_others_are_named(tmp_path: Path, kind: str):
    for steps in (10, 20):
        checkpoints.save_numbered(tmp_path, steps, {"x": torch.full((1,), steps)}, STATE)
    older, newer = checkpoints.numbered(tmp_path)
    damage(newer, kind)
    found = checkpoints.load(tmp_path, one_number)
    assert found.tensors["x"].item() == 10
    ((path, reason),) = found.unusable
    assert path == newer
    assert reason.startswith(f"{newer}: ")
    # Alone, or beside another damaged one, it is an error that names all.
    with pytest.raises(CheckpointError, match=str(newer)):
        checkpoints.load(newer, one_number)
    damage(older, kind)
    with pytest.raises(CheckpointError, match=rf"{newer}.*{older}.*no older one is there"):
        checkpoints.load(tmp_path, one_number)


def test_orphans_are_cleaned_and_unusable_files_set_aside(tmp_path: Path):
    for steps in (10, 20):
        checkpoints.save_numbered(tmp_path, steps, {"x": torch.ones(1)}, STATE)
    older, newer = checkpoints.numbered(tmp_path)
    (tmp_path / "checkpoints" / ".steps_000000000030.safetensors.tmp").write_bytes(b"half")
    checkpoints.tidy(tmp_path, [newer])
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == [older.name, "steps_000000000020.unusable"]
    assert checkpoints.load(tmp_path).unusable == ()


def test_foreign_files_are_named_and_nothing_is_unpickled(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    pickled = tmp_path / "p.safetensors"
    pickled.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        checkpoints.load(pickled)
    assert not (tmp_path / "sprung").exists()
    foreign = tmp_path / "f.safetensors"
    safetensors.torch.save_file({"x": torch.ones(1)}, foreign)
    with pytest.raises(CheckpointError, match="not a checkpoint of this program"):
        checkpoints.load(foreign)
    version = checkpoints.VERSION
    newer = {"format": checkpoints.FORMAT, "version": f"{version}1", "state": "{}"}
    safetensors.torch.save_file({"x": torch.ones(1)}, foreign, newer)
    with pytest.raises(
        CheckpointError, match=f"format version {version}1, this program reads {version}"
    ):
        checkpoints.load(foreign)


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        checkpoints.load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        checkpoints.load(tmp_path)


def test_a_model_of_another_shape_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, checkpoints.capture(*make(latent_dim=32)), STATE)
    model, _ = make(latent_dim=64)
    message = r"tensor actor\.0\.weight has shape \(128, 32\), the model needs \(128, 64\)"
    with pytest.raises(CheckpointError, match=message):
        checkpoints.restore_model(checkpoints.load(path), model)


def test_a_checkpoint_without_optimizer_state_cannot_be_resumed(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, checkpoints.capture(*make()), STATE)  # no optimizer step was made
    with pytest.raises(CheckpointError, match="optimizer or random state does not fit"):
        checkpoints.restore(checkpoints.load(path), *make())


def test_a_config_of_another_version_is_refused(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    checkpoints.save(path, {}, {"config": {"encoder": {"latent_dim": -1}}})
    with pytest.raises(CheckpointError, match=r"its config\.model does not fit this program"):
        checkpoints.load(path).read(ActorCriticConfig, "config", "model")
    with pytest.raises(CheckpointError, match="its config does not fit this program"):
        checkpoints.load(path).read(ActorCriticConfig, "config")
