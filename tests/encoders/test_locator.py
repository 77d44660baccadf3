"""Locator and sprites: found where they are, drawn where they were found."""

import math

import pytest
import torch
from torch.nn import functional

from encoders.locator import (
    CELL,
    PLACE_BETA,
    PLACE_COEF,
    Artifacts,
    Locator,
    LocatorConfig,
    artifacts_of,
    location_loss,
)
from encoders.sprites import BRIGHT, Sprites
from encoders.tracks import Points

SIZE = (32, 48)
CELLS = (SIZE[0] // CELL, SIZE[1] // CELL)


def found_at(*places: tuple[float, float, float]) -> torch.Tensor:
    """The output of a locator that has seen one frame: probability, row and column of each."""
    found = torch.zeros(1, 3, *CELLS)
    found[:, 0] = -10.0
    for probability, row, column in places:
        cell = int((row + 0.5) // CELL), int((column + 0.5) // CELL)
        found[0, 0, *cell] = math.log(probability / (1 - probability))
        found[0, 1, *cell] = (row + 0.5) / CELL - cell[0] - 0.5
        found[0, 2, *cell] = (column + 0.5) / CELL - cell[1] - 0.5
    return found


def places(points: Points) -> list[tuple[float, float]]:
    there = points.places[points.present]
    return [(round(row, 3), round(column, 3)) for row, column in there.tolist()]


def test_places_come_by_certainty_and_without_doubtful_ones():
    locator = Locator(LocatorConfig(count=3))
    found = found_at((0.4, 3.0, 30.5), (0.9, 20.5, 4.0), (0.2, 27.0, 40.0))
    assert places(locator.points(found)) == [(20.5, 4.0), (3.0, 30.5)]


def test_one_artifact_between_two_cells_is_one():
    locator = Locator(LocatorConfig(count=3))
    halves = found_at((0.6, 12.0, 7.0), (0.5, 12.0, 8.0))
    assert places(locator.points(halves)) == [(12.0, 7.0)]
    # Two that are farther apart stay two, even in neighbouring cells.
    assert len(places(locator.points(found_at((0.6, 12.0, 3.0), (0.5, 12.0, 12.0))))) == 2


def test_no_more_than_the_tracks_can_hold_and_the_most_certain_ones():
    locator = Locator(LocatorConfig(count=2))
    three = found_at((0.5, 4.0, 4.0), (0.9, 4.0, 20.0), (0.7, 20.0, 4.0))
    assert places(locator.points(three)) == [(4.0, 20.0), (20.0, 4.0)]


def test_a_frame_may_have_fewer_cells_than_there_are_tracks():
    points = Locator(LocatorConfig(count=3)).points(torch.tensor([[[[5.0]], [[0.0]], [[0.0]]]]))
    assert points.present.tolist() == [[True, False, False]]
    assert places(points) == [(3.5, 3.5)]


def test_an_artifact_is_the_middle_of_its_region():
    regions = torch.zeros(3, *SIZE, dtype=torch.uint8)
    regions[0, 4:10, 5:14] = 1
    regions[2, 4:10, 5:14] = 2
    regions[2, 20:23, 40:45] = 1
    found = artifacts_of(regions)
    assert found.frame.tolist() == [0, 2, 2]
    assert found.label.tolist() == [1, 1, 2]
    assert found.place.tolist() == [[6.5, 9.0], [21.0, 42.0], [6.5, 9.0]]
    assert len(artifacts_of(torch.zeros(2, *SIZE, dtype=torch.uint8)).frame) == 0


def test_the_loss_is_that_of_cells_and_places():
    torch.manual_seed(0)
    found = torch.randn(2, 3, *CELLS)
    artifacts = Artifacts(torch.tensor([1]), torch.tensor([1]), torch.tensor([[11.5, 33.0]]))
    expected = torch.zeros(2, *CELLS)
    expected[1, 1, 4] = 1.0  # row 12 and column 33.5 of cells of 8
    doubt = functional.binary_cross_entropy_with_logits(found[:, 0], expected, reduction="sum")
    gaps = [abs(found[1, 1, 1, 4] - 0.0), abs(found[1, 2, 1, 4] - (33.5 / 8 - 4.5))]
    assert min(gaps) > PLACE_BETA
    distance = sum(gap - PLACE_BETA / 2 for gap in gaps)
    loss = location_loss(found, artifacts)
    torch.testing.assert_close(loss, (doubt + PLACE_COEF * distance) / 2)


def test_what_is_found_at_the_right_place_costs_nothing():
    place = (0.9999999, 11.5, 33.0)
    artifacts = Artifacts(torch.tensor([0]), torch.tensor([1]), torch.tensor([place[1:]]))
    assert location_loss(found_at(place), artifacts) < 0.01
    assert location_loss(found_at(), artifacts) > 5


def test_a_sprite_is_a_box_around_its_place():
    sprites = Sprites(SIZE)
    with torch.no_grad():
        sprites.log_extent.copy_(torch.tensor([2.0, 5.0]).log())
        sprites.log_softness.fill_(math.log(0.01))
        sprites.brightness.fill_(4.0 / BRIGHT)
    there = torch.tensor([[10.4, 20.2], [25.6, 40.1], [5.0, 5.0]])
    points = Points(there[None], torch.tensor([[True, True, False]]))
    expected = torch.zeros(1, *SIZE)
    expected[0, 10:12, 18:23] = 4.0  # rounded to 10.5, 20
    expected[0, 25:27, 38:43] = 4.0
    torch.testing.assert_close(sprites(points), expected, atol=1e-4, rtol=0)


def test_a_sprite_is_the_same_for_all_places_that_round_to_the_same_half_pixel():
    sprites, here = Sprites(SIZE), torch.tensor([True])
    drawn = [sprites(Points(torch.tensor([[row, 20.0]]), here)) for row in (10.3, 10.7, 10.8)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_sprites_learn_the_shape_of_what_is_in_the_regions():
    torch.manual_seed(0)
    frames, regions = torch.zeros(8, *SIZE), torch.zeros(8, *SIZE, dtype=torch.uint8)
    for n in range(8):
        frames[n, 10:12, 4 * n + 5 : 4 * n + 10] = 3.0
        regions[n, 8:14, 4 * n + 3 : 4 * n + 12] = 1
        frames[n, 25:31, :20] = 9.0  # somebody who is no artifact
    artifacts, sprites = artifacts_of(regions), Sprites(SIZE)
    optimizer = torch.optim.Adam(sprites.parameters(), 0.02)
    for _ in range(500):
        loss = sprites.loss(frames, regions, artifacts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01 * 9 * 10 / 54  # of an empty drawing
    drawn = sprites(Points(artifacts.place[:1], torch.tensor([True])))
    torch.testing.assert_close(drawn[:20], frames[0, :20], atol=0.3, rtol=0)
    none = artifacts_of(torch.zeros_like(regions))
    assert sprites.loss(frames, regions, none) == 0


def test_a_locator_learns_from_regions_and_tells_an_artifact_from_a_body():
    torch.manual_seed(0)
    locator = Locator(LocatorConfig(count=3))
    optimizer = torch.optim.Adam(locator.parameters(), 3e-3)

    def games(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames with none to three knives, and a body as bright as they are."""
        frames, regions = torch.zeros(count, *SIZE), torch.zeros(count, *SIZE, dtype=torch.uint8)
        for n in range(count):
            column = int(torch.randint(SIZE[1] - 8, ()))
            frames[n, 22:, column : column + 8] = 4.0
            for label in range(n % 4):
                row = int(torch.randint(3, 14, ()))
                column = 16 * label + int(torch.randint(3, 8, ()))
                frames[n, row : row + 2, column : column + 5] = 4.0
                regions[n, row - 2 : row + 4, column - 2 : column + 7] = label + 1
        return frames, regions

    for _ in range(600):
        frames, regions = games(32)
        loss = location_loss(locator(frames), artifacts_of(regions))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    frames, regions = games(300)
    found = locator.points(locator(frames))
    right = found.present.sum(dim=1) == torch.arange(300) % 4
    assert right.float().mean() > 0.95
    artifacts = artifacts_of(regions)
    gaps = (found.places[artifacts.frame] - artifacts.place[:, None]).norm(dim=2)
    gaps = gaps.masked_fill(~found.present[artifacts.frame], 100.0).amin(dim=1)
    assert gaps.median() < 0.5


@pytest.mark.parametrize("count", [-1, 5])
def test_impossible_counts_are_named(count: int):
    with pytest.raises(ValueError, match=f"count must be from 0 to 4, got {count}"):
        LocatorConfig(count=count)
