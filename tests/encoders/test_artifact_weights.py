"""The weighted loss, compared with arithmetic."""

import pytest
import torch

from encoders import (
    ArtifactWeightsConfig,
    Points,
    artifact_weights,
    outer_product_loss,
    pixel_weights,
    weighted_mse,
)
from encoders.artifact_weights import LEFT_OUT, leave_out

TEN_TIMES = ArtifactWeightsConfig(artifact=10.0, newest=1.0)
CONFIGS = (
    TEN_TIMES,
    ArtifactWeightsConfig(newest=3.0),
    ArtifactWeightsConfig(artifact=1000.0, cap=2.0),
)


def regions_with_one_artifact() -> torch.Tensor:
    """Two frames of 4 x 5 pixels; the first has an artifact of two pixels."""
    regions = torch.zeros(1, 2, 4, 5, dtype=torch.uint8)
    regions[0, 0, 1, 2:4] = 1
    return regions


def test_weights_follow_the_rule():
    # 2 pixels x 10, 18 beside them x 1, 20 in the frame without x 0.5: 48 in all.
    weights = artifact_weights(regions_with_one_artifact(), TEN_TIMES)
    assert weights[0, 0, 1, 2].item() == pytest.approx(10 / 48)
    assert weights[0, 0, 0, 0].item() == pytest.approx(1 / 48)
    assert weights[0, 1, 0, 0].item() == pytest.approx(0.5 / 48)
    assert weights.sum().item() == pytest.approx(1.0)


def test_pixel_weights_are_the_numbers_of_the_config():
    weights = pixel_weights(regions_with_one_artifact(), TEN_TIMES)
    assert sorted(set(weights.flatten().tolist())) == [0.5, 1.0, 10.0]
    assert (weights == 10.0).sum() == 2
    assert (weights == 0.5).sum() == 20


def test_both_factors_are_configurable():
    config = ArtifactWeightsConfig(artifact=4.0, empty=0.25, newest=1.0)
    weights = artifact_weights(regions_with_one_artifact(), config)
    assert (weights[0, 0, 1, 2] / weights[0, 0, 0, 0]).item() == pytest.approx(4.0)
    assert (weights[0, 1, 0, 0] / weights[0, 0, 0, 0]).item() == pytest.approx(0.25)


def test_the_newest_frame_counts_more_than_the_others_whatever_it_shows():
    config = ArtifactWeightsConfig(artifact=10.0, newest=4.0)
    weights = pixel_weights(regions_with_one_artifact(), config)
    assert weights[0, 0].unique().tolist() == [1.0, 10.0]
    assert weights[0, 1].unique().tolist() == [4 * 0.5]


def test_the_cap_limits_a_weight_to_a_multiple_of_the_mean():
    # Raw weights sum to 2 * 1000 + 18 + 10 = 2028, mean 50.7; the cap is twice that.
    config = ArtifactWeightsConfig(artifact=1000.0, newest=1.0, cap=2.0)
    weights = artifact_weights(regions_with_one_artifact(), config)
    assert (weights[0, 0, 1, 2] / weights[0, 0, 0, 0]).item() == pytest.approx(2 * 2028 / 40)


def test_equal_weights_give_the_plain_mse():
    torch.manual_seed(0)
    reconstruction, target = torch.randn(2, 3, 4, 8, 8)
    weights = artifact_weights(torch.zeros(3, 4, 8, 8), TEN_TIMES)
    expected = torch.nn.functional.mse_loss(reconstruction, target)
    torch.testing.assert_close(weighted_mse(reconstruction, target, weights), expected)


def test_a_lost_artifact_costs_its_weight():
    # The same error of 3 on one pixel, inside and outside of the artifact.
    regions = regions_with_one_artifact()
    weights = artifact_weights(regions, TEN_TIMES)
    target = torch.zeros(1, 2, 4, 5)
    inside, outside = target.clone(), target.clone()
    inside[0, 0, 1, 2] = outside[0, 0, 3, 0] = 3.0
    assert weighted_mse(inside, target, weights).item() == pytest.approx(9 * 10 / 48)
    assert weighted_mse(outside, target, weights).item() == pytest.approx(9 * 1 / 48)


def test_the_scale_does_not_depend_on_the_number_of_artifacts():
    # An error of 1 everywhere costs 1, whatever is in view.
    one = torch.ones(1, 2, 4, 5)
    for regions in (regions_with_one_artifact(), torch.zeros(1, 2, 4, 5), one):
        weights = artifact_weights(regions, TEN_TIMES)
        assert weighted_mse(one, torch.zeros_like(one), weights).item() == pytest.approx(1.0)


@pytest.mark.parametrize("artifacts", [0, 1, 3])
@pytest.mark.parametrize("config", CONFIGS)
def test_the_loss_of_outer_products_is_that_of_the_images_they_make(
    artifacts: int, config: ArtifactWeightsConfig
):
    torch.manual_seed(0)
    columns = torch.randn(6, 4, 8, requires_grad=True)  # 3 observations of 2 frames, rank 4
    rows = torch.randn(6, 4, 12, requires_grad=True)
    target = 2 * torch.randn(3, 2, 8, 12)
    regions = torch.zeros(3, 2, 8, 12, dtype=torch.uint8)
    for n in range(artifacts):
        regions[n, n % 2, 1:3, 4 : 7 + n] = 1
    images = (columns.mT @ rows).view(3, 2, 8, 12)
    dense = weighted_mse(images, target, artifact_weights(regions, config))
    loss = outer_product_loss(columns, rows, target, regions, config)
    torch.testing.assert_close(loss.weighted, dense)
    torch.testing.assert_close(loss.unweighted, (images - target).square().mean())
    for found, expected in zip(
        torch.autograd.grad(0.5 * loss.weighted, [columns, rows]),
        torch.autograd.grad(0.5 * dense, [columns, rows]),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
    assert not loss.unweighted.requires_grad


def test_what_is_left_out_has_no_weight_and_is_no_artifact():
    regions = regions_with_one_artifact()
    alone, beside = regions.clone(), regions.clone()
    alone[regions != 0] = LEFT_OUT
    beside[0, 0, 3, 0] = LEFT_OUT
    left_out = artifact_weights(alone, TEN_TIMES)
    assert left_out[regions != 0].sum() == 0
    others = left_out[regions == 0]
    torch.testing.assert_close(others, torch.full_like(others, 1 / len(others)))
    weights = pixel_weights(beside, TEN_TIMES)
    assert weights[0, 0, 1, 2] == 10
    assert weights[0, 0, 3, 0] == 0
    assert weights[0, 0, 0, 0] == 1


@pytest.mark.parametrize("config", CONFIGS)
def test_the_loss_of_outer_products_leaves_out_the_same(config: ArtifactWeightsConfig):
    torch.manual_seed(0)
    columns = torch.randn(6, 4, 8, requires_grad=True)
    rows = torch.randn(6, 4, 12, requires_grad=True)
    target = 2 * torch.randn(3, 2, 8, 12)
    regions = torch.zeros(3, 2, 8, 12, dtype=torch.uint8)
    regions[0, 0, 1:3, 4:7] = LEFT_OUT  # nothing else in the frame
    regions[1, 1, 1:3, 4:7] = LEFT_OUT
    regions[1, 1, 5:8, 4:7] = 2
    regions[2, 0, 1:3, 4:7] = 1
    images = (columns.mT @ rows).view(3, 2, 8, 12)
    dense = weighted_mse(images, target, artifact_weights(regions, config))
    loss = outer_product_loss(columns, rows, target, regions, config)
    torch.testing.assert_close(loss.weighted, dense)
    torch.testing.assert_close(loss.unweighted, (images - target).square().mean())
    found = torch.autograd.grad(loss.weighted, [columns, rows])
    torch.testing.assert_close(found, torch.autograd.grad(dense, [columns, rows]))


def test_regions_with_a_point_inside_are_left_out():
    regions = torch.zeros(2, 2, 20, 30, dtype=torch.uint8)
    regions[0, 0, 2:8, 2:11] = 1
    regions[0, 0, 12:18, 15:24] = 2
    regions[0, 1, 2:8, 2:11] = 1
    regions[1, 1, 0:4, 25:30] = 1
    places = torch.zeros(2, 2, 2, 2)
    present = torch.zeros(2, 2, 2, dtype=torch.bool)
    places[0, 0], present[0, 0] = torch.tensor([[14.6, 20.0], [10.0, 12.0]]), True
    places[0, 1, 0] = torch.tensor([4.0, 5.0])  # nobody is there
    places[1, 1, 1], present[1, 1, 1] = torch.tensor([-2.0, 33.0]), True  # beyond the corner
    before = regions.clone()
    found = leave_out(regions, Points(places, present))
    assert torch.equal(regions, before)
    expected = regions.clone()
    expected[0, 0, 12:18, 15:24] = LEFT_OUT
    expected[1, 1, 0:4, 25:30] = LEFT_OUT
    assert torch.equal(found, expected)
    present[0, 0] = True
    places[0, 0, 1] = torch.tensor([4.0, 5.0])  # both of a frame
    expected[0, 0, 2:8, 2:11] = LEFT_OUT
    assert torch.equal(leave_out(regions, Points(places, present)), expected)


def test_outer_products_in_bfloat16_lose_a_hundredth_at_most():
    # Eight bits of mantissa round each error by up to 1/256; the sums stay in float32.
    torch.manual_seed(0)
    columns, rows, target = torch.randn(40, 4, 8), torch.randn(40, 4, 12), torch.randn(20, 2, 8, 12)
    regions = torch.zeros(20, 2, 8, 12, dtype=torch.uint8)
    regions[3, 1, 1:3, 4:7] = 1

    def learn(dtype: torch.dtype) -> tuple[torch.Tensor, list[torch.Tensor]]:
        profiles = [profile.to(dtype).requires_grad_() for profile in (columns, rows)]
        loss = outer_product_loss(*profiles, target.to(dtype), regions, TEN_TIMES)
        gradients = torch.autograd.grad(loss.weighted, profiles)
        assert loss.weighted.dtype == loss.unweighted.dtype == torch.float32
        assert {gradient.dtype for gradient in gradients} == {dtype}
        return torch.stack(loss).detach(), [gradient.float() for gradient in gradients]

    (exact, exact_gradients), (found, gradients) = learn(torch.float32), learn(torch.bfloat16)
    torch.testing.assert_close(found, exact, rtol=0.01, atol=0.0)
    for one, other in zip(gradients, exact_gradients, strict=True):
        assert (one - other).norm() < 0.01 * other.norm()


@pytest.mark.parametrize(
    ("field", "value"), [("artifact", 0.5), ("empty", 0.0), ("empty", 1.5), ("cap", 1.0)]
)
def test_impossible_settings_are_named(field: str, value: float):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        ArtifactWeightsConfig(**{field: value})
