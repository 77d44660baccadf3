"""Tracks: from places in frames to units, and back."""

import numpy as np
import pytest
import torch

from encoders.tracks import (
    FAST,
    MAPS,
    REACH,
    STRONG,
    UNITS,
    Points,
    artifact_maps,
    from_units,
    to_units,
)

SIZE = (64, 144)
FRAMES, COUNT = 4, 3
NONE = [-1.0, 0.0, 0.0, 0.0, 0.0]

Place = tuple[float, float]


def points(*frames: list[Place]) -> Points:
    """One observation; the places in each of its frames, oldest first."""
    places = torch.zeros(1, len(frames), COUNT, 2)
    present = torch.zeros(1, len(frames), COUNT, dtype=torch.bool)
    for frame, found in enumerate(frames):
        for number, place in enumerate(found):
            places[0, frame, number] = torch.tensor(place)
            present[0, frame, number] = True
    return Points(places, present)


def in_frames(found: Points, batch: int = 0) -> list[list[Place]]:
    """The places in each frame of an observation, in the order of their rows."""
    return [
        sorted((round(row, 3), round(column, 3)) for row, column in place[there].tolist())
        for place, there in zip(found.places[batch], found.present[batch], strict=True)
    ]


def test_the_units_of_a_track_say_when_where_and_how_fast():
    there = points([], [(31.5, 71.5)], [(31.5, 66.5)], [(31.5, 61.5)])
    units = to_units(there, SIZE)
    assert units.shape == (1, COUNT * UNITS)
    # First frame 1, last frame 3: the ninth of ten spans. A frame's middle is 0.
    expected = torch.tensor([[2 * 9 / 10 - 1, 0.0, -10 / 71.5, 0.0, -5 / REACH], NONE, NONE])
    torch.testing.assert_close(units.view(COUNT, UNITS), expected)


def test_without_artifacts_every_track_says_so():
    nothing = to_units(points([], [], [], []), SIZE)
    torch.testing.assert_close(nothing, torch.tensor([NONE * COUNT]))
    assert not from_units(nothing, FRAMES, SIZE).present.any()


def test_presence_in_the_newest_frame_is_above_all_else():
    def when(*frames: list[Place]) -> float:
        return to_units(points(*frames), SIZE)[0, 0].item()

    here = [(10.0, 20.0)]
    assert 0.39 < when([], [], [], here) < when([], [], here, here) < when(here, here, here, here)
    assert when(here, [], [], []) < when(here, here, here, []) < 0.21


def test_any_tracks_come_back_from_their_units_in_whatever_order_points_come():
    torch.manual_seed(0)
    batch = 500
    spans = [(first, last) for last in range(FRAMES) for first in range(last + 1)]
    span = torch.tensor(spans)[torch.randint(len(spans), (batch, COUNT))]
    number = torch.arange(FRAMES)[None, :, None]
    present = (span[:, None, :, 0] <= number) & (number <= span[:, None, :, 1])
    # Three lanes that are farther apart than anything moves, so that nobody can be confused.
    lane = torch.tensor([20.0, 70.0, 120.0])
    begin = torch.stack([20 + 20 * torch.rand(batch, COUNT), lane.expand(batch, -1)], dim=2)
    speed = 5 * torch.rand(batch, COUNT, 2)
    places = begin[:, None] + number[..., None] * speed[:, None]
    shuffled = torch.rand(batch, FRAMES, COUNT).argsort(dim=2)
    mixed = Points(
        places.gather(2, shuffled[..., None].expand(-1, -1, -1, 2)), present.gather(2, shuffled)
    )
    found = from_units(to_units(mixed, SIZE), FRAMES, SIZE)
    for n in range(batch):
        expected, got = in_frames(Points(places, present), n), in_frames(found, n)
        for one, other in zip(got, expected, strict=True):
            assert np.shape(one) == np.shape(other)
            np.testing.assert_allclose(one, other, atol=0.01)


def test_artifacts_that_meet_keep_their_ways():
    left = [(30.0, 40.0 + 5 * n) for n in range(4)]
    right = [(20.0, 60.0 - 5 * n) for n in range(4)]
    together = points(*([one, other] for one, other in zip(left, right, strict=True)))
    units = to_units(together, SIZE).view(COUNT, UNITS)
    assert sorted(units[:2, 4].tolist()) == [-5 / REACH, 5 / REACH]
    drawn = in_frames(from_units(units.flatten()[None], FRAMES, SIZE))
    assert drawn == [sorted(pair) for pair in zip(left, right, strict=True)]


def test_what_is_out_of_reach_is_another_artifact():
    gone, new = (30.0, 100.0), (30.0, 20.0)
    found = from_units(to_units(points([gone], [gone], [], [new]), SIZE), FRAMES, SIZE)
    assert in_frames(found) == [[gone], [gone], [], [new]]


def test_with_more_artifacts_than_tracks_the_newest_frame_is_complete():
    here = [(10.0, 20.0), (10.0, 60.0), (10.0, 100.0)]
    units = to_units(points([(50.0, 140.0)], [(50.0, 140.0)], here, here), SIZE)
    found = in_frames(from_units(units, FRAMES, SIZE))
    assert found[2:] == [here, here]
    assert found[0] == []  # there was no number left


def test_a_gap_ends_no_observation():
    here = (30.0, 50.0)
    units = to_units(points([here], [], [here], [here]), SIZE)
    assert in_frames(from_units(units, FRAMES, SIZE)) == [[here], [], [here], [here]]


def test_the_map_says_where_artifacts_are_now_in_whatever_order():
    here, gone = (21.0, 71.5), (0.0, 143.0)
    cells = (4, 5)  # of 21 rows and 35.75 columns from one middle to the next
    units = to_units(points([], [gone], [here, gone], [here]), SIZE)
    expected = torch.zeros(1, MAPS * 20)
    expected[0, 1 * 5 + 2] = STRONG
    torch.testing.assert_close(artifact_maps(units, cells), expected)
    # What is between cells counts in proportion; the map is the sum over artifacts.
    two = [(21.0 + 7.0, 71.5), (63.0, 143.0)]
    for order in (two, two[::-1]):
        found = artifact_maps(to_units(points([], [], [], order), SIZE), cells).view(MAPS, *cells)
        expected = torch.zeros(cells)
        expected[1, 2], expected[2, 2], expected[3, 4] = 2 / 3, 1 / 3, 1.0
        torch.testing.assert_close(found[0], STRONG * expected)
        assert not found[1:].any()  # so far nothing is known of their ways


def test_two_more_maps_say_where_artifacts_move_to():
    cells = (4, 5)
    fast, slow = (
        [(21.0, 71.5 + 6.0 * (3 - t)) for t in range(4)],
        [(60.0 + t, 0.0) for t in range(4)],
    )
    units = to_units(points(*([one, other] for one, other in zip(fast, slow, strict=True))), SIZE)
    presence, down, right = artifact_maps(units, cells).view(MAPS, *cells)
    assert presence[1, 2].item() == pytest.approx(STRONG)
    assert right[1, 2].item() == pytest.approx(-STRONG)  # 6 pixels a step to the left: no more
    assert right.sum().item() == pytest.approx(-STRONG)
    assert down[3, 0].item() == pytest.approx(STRONG / FAST, rel=1e-4)
    assert down.sum().item() == pytest.approx(STRONG / FAST, rel=1e-4)


def test_units_stay_between_minus_one_and_one():
    edges = points([], [], [(-3.0, 150.0)], [(70.0, 150.0)])
    assert to_units(edges, SIZE).abs().max() == 1.0
