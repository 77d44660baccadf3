"""Noise, shifts and brightness: what is shown, and what should be drawn."""

import pytest
import torch

from encoders import PerturbationConfig, perturb


def observations(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    obs = torch.randint(60, 200, (count, 4, 16, 24), dtype=torch.uint8)
    regions = torch.zeros_like(obs)
    regions[:, :, 6:8, 10:14] = 1
    return obs, regions


def test_nothing_is_perturbed_by_default():
    obs, regions = observations()
    assert not PerturbationConfig().is_on
    found = perturb(obs, regions, PerturbationConfig())
    assert found.shown is obs
    assert found.target is obs
    assert found.regions is regions


def test_noise_has_its_standard_deviation_and_no_mean():
    obs, regions = observations()
    found = perturb(obs, regions, PerturbationConfig(noise=10.0))
    error = found.shown.float() - obs
    assert error.std().item() == pytest.approx(10.0, rel=0.02)
    assert abs(error.mean().item()) < 0.2
    assert found.target is obs  # it learns to take the noise away


def test_brightness_is_one_number_for_all_pixels_of_an_observation():
    obs, regions = observations()
    error = perturb(obs, regions, PerturbationConfig(brightness=40.0)).shown.float() - obs
    assert torch.equal(error, error[:, :1, :1, :1].expand_as(error))
    added = error[:, 0, 0, 0]
    assert added.abs().max() <= 40
    assert added.min() < -20 < 20 < added.max()


def test_levels_stay_within_their_range():
    dark = torch.zeros(8, 4, 16, 24, dtype=torch.uint8)
    shown = perturb(dark, dark, PerturbationConfig(noise=50.0)).shown
    assert shown.min() == 0
    assert shown.max() < 255  # and did not wrap around


@pytest.mark.parametrize("clean", [True, False])
def test_a_shift_moves_all_frames_of_an_observation_alike_and_its_regions_with_them(clean: bool):
    obs, regions = observations()
    found = perturb(obs, regions, PerturbationConfig(shift=3, clean_target=clean))
    seen = set()
    for one, shown in zip(obs, found.shown, strict=True):
        (place,) = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if torch.equal(
                shown[:, 3:-3, 3:-3], one[:, 3 + down : 13 + down, 3 + right : 21 + right]
            )
        ]
        seen.add(place)
    assert len(seen) > 20  # of 49
    if clean:
        assert found.target is obs
        assert found.regions is regions
    else:
        assert found.target is found.shown
        where = found.regions.flatten(2).sum(dim=2)
        assert (where == 8).all()  # each region is whole, wherever it is
        marked = obs.masked_fill(regions == 0, 0).flatten(1).sum(dim=1)
        moved = found.shown.masked_fill(found.regions == 0, 0).flatten(1).sum(dim=1)
        assert torch.equal(marked, moved)  # the same pixels are in it


def test_the_edge_is_repeated_where_nothing_comes_in():
    column = torch.arange(24, dtype=torch.uint8).expand(32, 1, 16, 24).contiguous()
    torch.manual_seed(0)
    shown = perturb(column, column, PerturbationConfig(shift=2)).shown
    assert shown.max() == 23
    steps = shown[:, :, :, 1:].int() - shown[:, :, :, :-1].int()
    assert ((steps == 0) | (steps == 1)).all()


@pytest.mark.parametrize(
    ("field", "value"), [("noise", -1.0), ("shift", 17), ("brightness", 200.0)]
)
def test_impossible_perturbations_are_named(field: str, value: float):
    with pytest.raises(ValueError, match=f"{field} must be from 0 to"):
        PerturbationConfig(**{field: value})
