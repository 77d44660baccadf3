"""A perfect channel among noise: the instruments say whether a network uses it."""

import json

import numpy as np
import pytest
import torch

from benchmarks import killing_feature as killing
from benchmarks.killing_feature import KillingFeatureConfig, PixelNetwork

NOISE_CHANNELS = 20


def images(mask: killing.Mask = "fits", seed: int = 0) -> killing.Images:
    return killing.make_images(64, NOISE_CHANNELS, np.random.default_rng(seed), mask)


def trained(mask: killing.Mask, *, normalized: bool = True) -> dict[str, object]:
    config = KillingFeatureConfig(steps=300)
    return killing.study(NOISE_CHANNELS, config, 1, normalized=normalized, mask=mask)


def test_the_last_channel_is_what_should_be_drawn():
    inputs, target = images()
    assert torch.equal(inputs[:, -1:], target)
    assert (target.sum(dim=(1, 2, 3)) == 6).all()  # a box of 2 x 3
    assert inputs[:, :-1].std() == pytest.approx(killing.NOISE, rel=0.02)
    transposed, shuffled = images("transposed").inputs, images("shuffled").inputs
    assert torch.equal(transposed[:, -1], target[:, 0].mT)
    assert torch.equal(shuffled[1:, -1], target[:-1, 0])


@pytest.mark.parametrize("normalized", [False, True])
def test_after_surgery_the_loss_and_its_gradient_are_almost_zero(normalized: bool):
    data = images()
    if normalized:
        killing.normalize(data, images(seed=1))
    found = killing.surgery(NOISE_CHANNELS + 1, data)
    assert found["loss_by_hand"] < 1e-3 * found["loss_fresh"]
    assert found["gradient_by_hand"] < 1e-2 * found["gradient_fresh"]


def test_after_surgery_the_network_depends_on_the_perfect_channel_alone():
    data = images()
    network = PixelNetwork(NOISE_CHANNELS + 1)
    killing.operate(network, data)
    other = data.inputs.clone()
    other[:, :-1] = torch.randn_like(other[:, :-1])
    assert torch.equal(network(data.inputs), network(other))
    assert torch.equal(network(data.inputs) > 0, data.target > 0)
    assert killing.importance(network, data) > killing.ignorance(data)


def test_a_network_that_has_found_it_loses_it_by_a_shuffle():
    found = trained("fits")
    loss, grown = found["curve"][-1]
    assert found["used_after"] <= 300
    assert loss < found["ignorance"] / 2 < grown
    assert found["norm_rank"] == 0


@pytest.mark.parametrize("mask", ["transposed", "shuffled"])
def test_a_mask_that_does_not_fit_is_found_by_the_instruments(mask: killing.Mask):
    found = trained(mask)
    assert found["used_after"] is None
    loss, grown = found["curve"][-1]
    assert loss > found["ignorance"] / 2
    assert grown < found["ignorance"] / 2
    assert found["surgery"]["loss_by_hand"] > found["ignorance"]  # not even by hand


def test_without_normalisation_it_takes_longer():
    raw, normalized = (trained("fits", normalized=one)["curve"] for one in (False, True))
    assert raw[-1][1] < normalized[-1][1] / 2


def test_one_command_keeps_and_plots_it(tmp_path, monkeypatch, capsys):
    flags = ["--noise-channels", "3", "--steps", "20", "--seeds", "1"]
    monkeypatch.setattr("sys.argv", ["killing_feature", "--json", f"{tmp_path}/a.json", *flags])
    killing.main()
    assert "steps until the channel is used" in " ".join(capsys.readouterr().out.split())
    arms = json.loads((tmp_path / "a.json").read_text())["arms"]
    assert len(arms) == 4
    assert (tmp_path / "a.png").stat().st_size > 5_000
