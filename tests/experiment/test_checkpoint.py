"""Checkpoints come back whole or not at all."""

import os
import pickle
import stat
from pathlib import Path

import pytest
import safetensors.torch
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from encoders import ArtifactWeightsConfig, AutoencoderConfig, EncoderConfig, LocatorConfig
from experiment.checkpoint import (
    FORMAT,
    VERSION,
    Checkpoint,
    CheckpointError,
    capture,
    read_checkpoint,
    restore,
    restore_model,
    restore_optimizer,
    weights_alone,
    write_checkpoint,
)
from experiment.files import SaveError
from settings import to_json
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE

STATE = {"config": {"seed": 3}, "statistics": {"steps": 7, "recent": [1.0, 2.0]}}


def make(latent_dim: int = 64) -> tuple[ActorCritic, torch.optim.Adam]:
    encoder, locator = EncoderConfig(latent_dim, channels=(4, 4)), LocatorConfig(count=2)
    config = ActorCriticConfig(AutoencoderConfig(encoder, locator=locator))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)
    return model, PPO(
        model, PPOConfig(learning_rate=1e-2), ArtifactWeightsConfig(), CreditConfig()
    ).optimizer


def learn(model: ActorCritic, optimizer: torch.optim.Adam) -> None:
    """One optimizer step on random data."""
    obs = torch.randint(0, 256, (2, *OBS_SHAPE), dtype=torch.uint8)
    prediction = model(obs)
    regions = torch.zeros_like(obs)
    drawing = model.autoencoder.loss(prediction.latent, obs, regions, ArtifactWeightsConfig())
    loss = prediction.value.sum() + drawing.reconstruction + drawing.artifacts
    (loss + prediction.policy.logits.square().sum()).backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_restored_run_goes_on_exactly_as_the_original(tmp_path: Path):
    torch.manual_seed(0)
    model, optimizer = make()
    learn(model, optimizer)
    model.autoencoder.normalizer.update(
        torch.randint(0, 256, (5, *OBS_SHAPE[1:]), dtype=torch.uint8)
    )
    path = tmp_path / "run" / "a.safetensors"
    write_checkpoint(path, capture(model, optimizer), STATE)
    learn(model, optimizer)  # uses the random state, the moments and the statistics
    torch.manual_seed(99)
    other, other_optimizer = make()
    loaded = read_checkpoint(path)
    assert loaded.state == STATE
    restore(loaded, other, other_optimizer)
    learn(other, other_optimizer)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {"x": torch.ones(3)}, STATE)
    before = path.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(SaveError, match=r"a\.safetensors cannot be written: No space"):
        write_checkpoint(path, {"x": torch.zeros(3)}, STATE)
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
    write_checkpoint(tmp_path / "a.safetensors", {"x": torch.ones(3)}, STATE)
    assert happened == ["bytes", ".a.safetensors.tmp to a.safetensors", "directory"]


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_files_are_named(tmp_path: Path, length: int):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {"x": torch.ones(100)}, STATE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"a\.safetensors: damaged or not a checkpoint"):
        read_checkpoint(path)


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path):
    # Every bit of a small file: each makes it unreadable, foreign or of another checksum, except in
    # the padding of the header, where nothing is.
    path = tmp_path / "a.safetensors"
    tensors = {"x": torch.arange(3.0), "y": torch.tensor(True)}
    write_checkpoint(path, tensors, STATE)
    whole = path.read_bytes()
    header_ends = 8 + int.from_bytes(whole[:8], "little")
    padding = range(len(whole[:header_ends].rstrip(b" ")), header_ends)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if bit // 8 not in padding:
            with pytest.raises(CheckpointError, match=r"a\.safetensors: "):
                read_checkpoint(path)


def test_foreign_files_are_named_and_nothing_is_unpickled(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    pickled = tmp_path / "p.safetensors"
    pickled.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint"):
        read_checkpoint(pickled)
    assert not (tmp_path / "sprung").exists()
    foreign = tmp_path / "f.safetensors"
    safetensors.torch.save_file({"x": torch.ones(1)}, foreign)
    with pytest.raises(CheckpointError, match="not a checkpoint of this program"):
        read_checkpoint(foreign)
    version = VERSION
    newer = {"format": FORMAT, "version": f"{version}1", "state": "{}"}
    safetensors.torch.save_file({"x": torch.ones(1)}, foreign, newer)
    with pytest.raises(
        CheckpointError, match=f"format version {version}1, this program reads {version}"
    ):
        read_checkpoint(foreign)


def test_a_model_of_another_shape_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, capture(*make(latent_dim=32)), STATE)
    model, _ = make(latent_dim=64)
    message = r"tensor actor\.hidden\.weight has shape \(128, 60\), the model needs \(128, 92\)"
    with pytest.raises(CheckpointError, match=message):
        restore_model(read_checkpoint(path), model)


def test_a_checkpoint_without_optimizer_state_cannot_be_resumed(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    trained = Checkpoint(path, "", capture(*make()), STATE)
    write_checkpoint(path, weights_alone(trained), STATE)
    with pytest.raises(CheckpointError, match="it holds weights alone"):
        restore(read_checkpoint(path), *make())


def test_parameters_that_no_loss_has_trained_yet_are_resumed_without_moments(tmp_path: Path):
    model, optimizer = make()
    actor = [*model.actor.parameters()]
    sum(parameter.sum() for parameter in actor).backward()
    optimizer.step()
    write_checkpoint(tmp_path / "a.safetensors", capture(model, optimizer), STATE)
    model, optimizer = make()
    restore(read_checkpoint(tmp_path / "a.safetensors"), model, optimizer)
    assert {id(parameter) for parameter in optimizer.state} == {*map(id, model.actor.parameters())}
    assert all(moments["step"] == 1 for moments in optimizer.state.values())


@pytest.mark.parametrize("name", ["optimizer.0.", "rng.cpu"])
def test_a_checkpoint_that_lacks_a_part_of_the_training_cannot_be_resumed(
    tmp_path: Path, name: str
):
    model, optimizer = make()
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    tensors = capture(model, optimizer)
    lacking = {key: value for key, value in tensors.items() if not key.startswith(name)}
    assert len(lacking) < len(tensors)
    write_checkpoint(tmp_path / "a.safetensors", lacking, STATE)
    with pytest.raises(CheckpointError, match="optimizer or random state does not fit"):
        restore_optimizer(read_checkpoint(tmp_path / "a.safetensors"), make()[1])


def test_a_config_of_another_version_is_refused(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {}, {"config": to_json(ActorCriticConfig()) | {"branch_units": -1}})
    with pytest.raises(CheckpointError, match=r"it has no config\.model"):
        read_checkpoint(path).read(ActorCriticConfig, "config", "model")
    with pytest.raises(CheckpointError, match="program: branch_units must be from 1 to 4096"):
        read_checkpoint(path).read(ActorCriticConfig, "config")


def test_the_digest_is_of_the_content_and_not_of_the_file(tmp_path: Path):
    one, same, other = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.st"))
    for path, value in ((one, 1.0), (same, 1.0), (other, 2.0)):
        write_checkpoint(path, {"x": torch.full((3,), value)}, STATE)
    assert read_checkpoint(one).digest == read_checkpoint(same).digest
    assert read_checkpoint(one).digest != read_checkpoint(other).digest


def test_a_training_on_the_cpu_never_asks_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Asking for CUDA's random state initialises the GPU, and fails if its memory is full.
    def asked(*_: object) -> None:
        pytest.fail("the GPU was asked")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", asked)
    monkeypatch.setattr(torch.cuda, "set_rng_state", asked)
    model, optimizer = make()
    learn(model, optimizer)
    tensors = capture(model, optimizer)
    assert "rng.cuda" not in tensors
    # Nor when it goes on with a run that was on a GPU.
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {**tensors, "rng.cuda": torch.zeros(16, dtype=torch.uint8)}, STATE)
    restore(read_checkpoint(path), model, optimizer)


def test_the_random_state_of_the_model_s_own_gpu_is_saved_and_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gpu = torch.device("cuda", 3)
    states = {gpu: torch.arange(16, dtype=torch.uint8)}
    monkeypatch.setattr("experiment.checkpoint.device_of", lambda _: gpu)
    monkeypatch.setattr(torch.cuda, "get_rng_state", states.__getitem__)
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: states.update({device: state + 1})
    )
    model, optimizer = make()
    learn(model, optimizer)
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, capture(model, optimizer), STATE)
    restore(read_checkpoint(path), model, optimizer)
    assert states[gpu].tolist() == list(range(1, 17))


def test_fields_that_differ_from_this_program_s_are_named(tmp_path: Path):
    path = tmp_path / "a.safetensors"
    model = to_json(ActorCriticConfig())
    write_checkpoint(path, {}, {"config": {"model": {**model, "units": 3}}})
    with pytest.raises(CheckpointError, match=r"its config\.model .* program: units is unknown"):
        read_checkpoint(path).read(ActorCriticConfig, "config", "model")
    del model["branch_units"]
    write_checkpoint(path, {}, {"config": {"model": model}})
    with pytest.raises(CheckpointError, match="branch_units is missing"):
        read_checkpoint(path).read(ActorCriticConfig, "config", "model")
