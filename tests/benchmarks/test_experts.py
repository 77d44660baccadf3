"""Images, classifiers and judge of the comparison of experts."""

import json

import numpy as np
import pytest
import torch

from benchmarks import experts


def spread(images: torch.Tensor) -> torch.Tensor:
    """Mean distance of an image's lit pixels from their middle, (N,)."""
    found = [one[0].nonzero().float() for one in images]
    return torch.stack([(at - at.median(dim=0).values).norm(dim=1).median() for at in found])


def test_a_cluster_grows_with_x_and_a_background_is_larger():
    clusters = experts.make_clusters(3000, np.random.default_rng(0))
    assert clusters.images.shape == (3000, 1, 40, 40)
    assert set(clusters.images.unique().tolist()) == {0.0, 1.0}
    assert 0.45 < clusters.signal.mean() < 0.55
    size, signal = spread(clusters.images), clusters.signal.bool()
    low, high = clusters.x < 0.2, clusters.x > 0.8
    assert size[high & signal].mean() > 1.8 * size[low & signal].mean()
    for part in (low, high):
        ratio = size[part & ~signal].mean() / size[part & signal].mean()
        assert ratio == pytest.approx(experts.LARGER, abs=0.12)


def test_the_shapes_have_as_many_parameters_and_experts_no_more_than_one_network():
    data = experts.make_clusters(50, np.random.default_rng(0))
    sizes: dict[str, list[int]] = {}
    for early in (False, True):
        models = {
            "one": experts.OneNetwork(pool_early=early, told=False),
            "experts": experts.experts(data.x, 4, pool_early=early),
        }
        for name, model in models.items():
            assert model(data.images, data.x).shape == (50, 1)
            sizes.setdefault(name, []).append(sum(one.numel() for one in model.parameters()))
    assert sizes["one"][0] == sizes["one"][1] >= sizes["experts"][0] == sizes["experts"][1]


def test_accuracies_are_counted_over_all_and_over_each_part_of_x():
    x = torch.tensor([0.1, 0.2, 0.6, 0.9])
    data = experts.Clusters(torch.zeros(4, 1, 40, 40), x, torch.tensor([1.0, 0.0, 1.0, 0.0]))

    class Always(torch.nn.Module):
        def forward(self, images, x):
            return torch.where(x < 0.5, 1.0, -1.0)[:, None]

    assert experts.accuracies(Always(), data, 2) == [0.5, 0.5, 0.5]
    data = data._replace(signal=torch.tensor([1.0, 1.0, 0.0, 1.0]))
    assert experts.accuracies(Always(), data, 2) == [0.75, 1.0, 0.5]


def test_one_command_prints_both_tables_and_keeps_them(tmp_path, monkeypatch, capsys):
    flags = ["--images", "200", "--epochs", "1", "--experts", "2", "--seeds", "3", "4"]
    monkeypatch.setattr("sys.argv", ["experts", "--json", f"{tmp_path}/a.json", *flags])
    experts.main()
    printed = capsys.readouterr().out
    assert "late pooling" in printed
    assert "x 0.5 to 1.0" in printed
    found = json.loads((tmp_path / "a.json").read_text())["accuracies"]
    assert {*found["early"]} == {"one network", "one network, told x", "2 experts"}
    assert np.shape(list(found["late"].values())) == (3, 2, 3)  # classifiers, seeds, parts
