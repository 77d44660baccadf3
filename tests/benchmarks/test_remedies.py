"""The compared losses, against arithmetic."""

import pytest
import torch

from benchmarks.remedies import OBJECT_TOTAL, REMEDIES, maximum, objects, origin, uniform
from encoders import AutoencoderConfig
from envs.vector import STACK


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """One observation of 4 x 40 x 60: a knife of 8 pixels that moves, a block that does not."""
    obs = torch.full((1, 4, 40, 60), 128, dtype=torch.uint8)
    obs[:, :, 20:40, 5:15] = 40
    for frame in range(4):
        obs[0, frame, 8:10, 30 + 6 * frame : 34 + 6 * frame] = 255
    regions = torch.zeros_like(obs)
    for frame in range(4):
        regions[0, frame, 6:12, 28 + 6 * frame : 36 + 6 * frame] = 1
    return obs, regions


def error_at(frame: int, row: int, column: int) -> torch.Tensor:
    error = torch.zeros(1, 4, 40, 60)
    error[0, frame, row, column] = 1.0
    return error


def test_an_even_error_costs_the_same_everywhere():
    obs, regions = scene()
    for name, remedy in REMEDIES.items():
        if remedy.loss:
            loss = remedy.loss(torch.ones(1, 4, 40, 60), obs, regions)
            assert loss.item() == pytest.approx(1.01 if name == "maximum" else 1.0)


def test_only_the_weights_alone_are_oversampled_and_as_training_does_it():
    # Without tracks, training draws every STACK-th observation and all that show an artifact.
    oversampled = {name: one.oversampling for name, one in REMEDIES.items() if one.oversampling > 1}
    assert oversampled == {"weights": STACK}


def test_the_default_has_the_tracks_and_the_loss_of_the_product():
    assert [name for name, remedy in REMEDIES.items() if not remedy.loss] == ["default"]
    tracks = {name: remedy.tracks for name, remedy in REMEDIES.items() if remedy.tracks}
    assert tracks == {"default": AutoencoderConfig().locator.count}


def test_the_uniform_loss_does_not_care_where():
    obs, regions = scene()
    assert uniform(error_at(1, 8, 37), obs, regions).item() == pytest.approx(1 / 9600)


def test_the_origins_loss_counts_a_knife_ten_times():
    obs, regions = scene()
    inside = origin(error_at(1, 8, 37), obs, regions)
    outside = origin(error_at(1, 30, 50), obs, regions)
    assert (inside / outside).item() == pytest.approx(10.0)


def test_the_maximum_adds_a_hundredth_of_the_worst_pixel():
    obs, regions = scene()
    error = error_at(0, 0, 0) * 50
    assert maximum(error, obs, regions).item() == pytest.approx(50 / 9600 + 0.5)


def test_objects_have_the_same_total_however_small():
    obs, regions = scene()
    background = objects(error_at(3, 0, 0), obs, regions)
    knife = objects(error_at(3, 8, 49), obs, regions) / background
    block = objects(error_at(3, 30, 10), obs, regions) / background
    # Grown by two pixels: the knife 6 x 8, the block 22 x 14 (the lower edge cuts it off).
    assert knife.item() == pytest.approx(OBJECT_TOTAL / 48)
    assert block.item() == pytest.approx(OBJECT_TOTAL / 308, rel=1e-5)
