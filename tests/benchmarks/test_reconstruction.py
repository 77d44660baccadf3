"""The reconstruction benchmark on a few samples."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import reconstruction, remedy_training
from benchmarks.data import Recording
from benchmarks.reconstruction import (
    PICTURED,
    ReconstructionBenchmarkConfig,
    pictured,
    summary,
)
from benchmarks.remedies import Remedy, uniform
from benchmarks.remedy_training import BATCH, draw_newest, encode, train_autoencoder
from benchmarks.scene import Scene, scene
from encoders import (
    ArtifactDetectorConfig,
    ArtifactWeightsConfig,
    Autoencoder,
    Sprites,
    make_finder,
)
from tests.benchmarks.test_data import PROJECTION, planted


def walk(count: int = 12) -> Recording:
    recording = planted(6, count)
    for t, frame in enumerate(recording.frames):
        frame[10:60, 10 * t : 10 * t + 20] = 2  # a figure that walks through the picture
    return recording


def planted_scene() -> Scene:
    return scene(walk(), PROJECTION, make_finder(ArtifactDetectorConfig()))


def test_training_is_a_function_of_the_seed_and_lowers_the_loss():
    frames = planted_scene()

    def error(samples: int, seed: int) -> float:
        model = train_autoencoder(frames, Remedy(uniform), seed, samples).model
        drawn = draw_newest(model, encode(model, frames))
        return float(np.square(drawn - frames.frames).mean())

    short = error(BATCH, seed=1)
    assert error(BATCH, seed=1) == short
    assert error(BATCH, seed=2) != short
    assert error(BATCH * 60, seed=1) < 0.5 * short


@pytest.mark.parametrize("times", [1, 4])
def test_what_shows_an_artifact_is_drawn_as_often_as_the_remedy_says(times: int):
    frames = planted_scene()
    share = frames.regions.any(axis=(1, 2))[frames.stacks].any(axis=1).mean()
    assert 0.2 < share < 0.8
    shown = []

    def watch(error: torch.Tensor, obs: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        shown.append(regions.flatten(1).any(dim=1).float().mean())
        return uniform(error, obs, regions)

    train_autoencoder(frames, Remedy(watch, times), seed=1, samples=20 * BATCH)
    expected = times * share / (times * share + 1 - share)
    assert np.mean(shown) == pytest.approx(expected, abs=0.05)


def test_tracks_are_trained_with_the_rest():
    model = train_autoencoder(planted_scene(), Remedy(None, tracks=2), 1, 20 * BATCH).model
    assert model.locator is not None
    assert model.sprites is not None
    fresh = Sprites(model.obs_shape[1:])
    assert (model.sprites.brightness - fresh.brightness).abs() > 0.001
    assert model.locator.layers[-1].bias[0] != -5.0
    moved = [one.grad is not None and bool(one.grad.any()) for one in model.encoder.parameters()]
    assert all(moved)


def test_the_newest_frame_counts_as_much_as_in_training(monkeypatch: pytest.MonkeyPatch):
    # Nothing is drawn, and the first observation is four times the same frame.
    frames = planted_scene()
    frames = frames._replace(stacks=frames.stacks[:1], knives=[])
    seen = []

    def watch(error: torch.Tensor, obs: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        seen.append(error.detach().flatten(2).sum(dim=2))
        return uniform(error, obs, regions)

    monkeypatch.setattr(Autoencoder, "decode", lambda _, latent: 0 * latent.sum())
    monkeypatch.setattr(
        remedy_training, "ArtifactWeightsConfig", lambda: ArtifactWeightsConfig(newest=3.0)
    )
    train_autoencoder(frames, Remedy(watch), 1, BATCH)
    shares = seen[0][0] / seen[0][0].mean()
    torch.testing.assert_close(shares, torch.tensor([1.0, 1.0, 1.0, 3.0]) / 1.5)


def test_reconstructions_are_the_newest_frames_in_grey_levels():
    frames = planted_scene()
    model = train_autoencoder(frames, Remedy(uniform), 1, BATCH).model
    latents = encode(model, frames)
    drawn = draw_newest(model, latents)
    assert latents.shape == (12, 64)
    obs = torch.from_numpy(frames.frames[frames.stacks[7]])[None]
    with torch.no_grad():
        latent = model.encoder(model.normalizer(obs))
        newest = model.decoder(latent)[0, -1] * model.normalizer.std + model.normalizer.mean
    torch.testing.assert_close(latents[7], latent[0])
    np.testing.assert_allclose(drawn[7], newest.numpy(), atol=1e-2)


def test_the_picture_shows_frames_with_a_knife_and_frames_without():
    recording = planted(6)
    recording.frames[6:, 10:60, 60:80] = 2
    frames = scene(recording, PROJECTION, make_finder(ArtifactDetectorConfig()))
    steps = pictured(frames)
    assert len(steps) == PICTURED
    assert max(steps[: PICTURED // 2]) < 6 <= min(steps[PICTURED // 2 :])


def test_mean_and_spread_over_seeds():
    found = summary([{"recall": 0.5}, {"recall": 0.7}, {"recall": 0.9}])
    assert found["recall"]["values"] == [0.5, 0.7, 0.9]
    np.testing.assert_allclose([found["recall"]["mean"], found["recall"]["spread"]], [0.7, 0.2])
    assert summary([{"recall": 0.5}])["recall"]["spread"] is None


def test_unknown_remedies_are_named():
    with pytest.raises(ValueError, match=r"remedies must be some of uniform, .* got \('magic',\)"):
        ReconstructionBenchmarkConfig(remedies=("magic",))
    assert ReconstructionBenchmarkConfig(remedies=("default",)).remedies == ("default",)


@pytest.mark.parametrize("longest", [0.0, 1e9])
def test_clipped_steps_are_counted(longest: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remedy_training, "MAX_GRAD_NORM", longest)
    clipped = train_autoencoder(planted_scene(), Remedy(uniform), 1, 4 * BATCH).clipped
    assert clipped == (longest == 0)


@pytest.mark.parametrize("judged", ["validation", "test"])
def test_a_result_is_written_before_it_is_printed(
    judged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def recorded(_config: object, split: str, _sources: object) -> Recording:
        asked.append(split)
        return walk(20)

    def broken(*_: object) -> None:
        raise OSError("the terminal is gone")

    def in_threads(workers: int, _context: object, begin, arguments) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers, initializer=begin, initargs=arguments)

    monkeypatch.setattr(reconstruction, "load", recorded)
    monkeypatch.setattr(reconstruction, "calibrate", lambda *_, **__: PROJECTION)
    monkeypatch.setattr(reconstruction, "ProcessPoolExecutor", in_threads)
    monkeypatch.setattr(reconstruction, "_scenes", {})
    monkeypatch.setattr(reconstruction, "print_table", broken)
    path = tmp_path / "reconstruction.json"
    flags = ["--json", str(path), "--data", str(tmp_path), "--samples", str(BATCH)]
    flags += ["--seeds", "1", "--remedies", "uniform", "--judged", judged]
    monkeypatch.setattr("sys.argv", ["x", *flags])
    with pytest.raises(OSError, match="the terminal is gone"):
        reconstruction.main()
    result = json.loads(path.read_text())
    assert result["judged"] == judged
    assert set(asked) == set(result["data"]) == {"train", judged}
    (recall,) = result["remedies"]["uniform"]["knife_recall"]["values"]
    assert 0 <= recall <= 1
    assert path.with_suffix(".png").stat().st_size > 1000
