"""What small artifacts did in the frames of an observation, as a few units, and back.

A point is the place of an artifact in one frame. A track is what one artifact did in the C frames.
It has five units from -1 to 1:

    when    -1 if there is no artifact. Else a number for its first and its last frame. With four
            frames it is at least 0.4 if the artifact is in the newest, and less if it is gone.
    y, x    its last place, from -1 at one edge of the frame to 1 at the other
    vy, vx  its way in a step, in units of ``REACH``

Nothing here is learned, and no gradient flows.
"""

from itertools import permutations
from typing import NamedTuple, cast

import torch
from torch import Tensor

UNITS = 5
"""Units of a track."""
NEWEST = 0.3
"""An artifact whose ``when`` is above this is in the newest of four frames."""
MAPS, STRONG = 3, 4.0
"""Number of maps that ``artifact_maps`` makes, and what an artifact is in them."""
FAST = 4.0
"""Pixels. What moves so far in a step, or farther, is as strong in the maps as what is there."""
REACH = 16.0
"""Pixels. An artifact moves less in a step; what is farther away is another one."""


class Points(NamedTuple):
    """Artifacts in single frames, at most K in each."""

    places: Tensor
    """(..., K, 2) float32, row and column in pixels."""
    present: Tensor
    """(..., K) bool: whether there is one. If not, its place means nothing."""


def to_units(points: Points, size: tuple[int, int]) -> Tensor:
    """Tracks of the artifacts in C frames.

    Args:
        points: (B, C, K), those of a frame in any order.
        size: (H, W) of the frames.

    Returns:
        (B, K * UNITS) float32 in -1..1.
    """
    batch, frames, count = points.present.shape
    nothing = points.places.new_tensor([-1.0, 0.0, 0.0, 0.0, 0.0])
    if not torch.compiler.is_exporting() and not points.present.any():  # most often, and quicker
        return nothing.repeat(batch, count)
    places, present = linked(points)
    number = torch.arange(frames, device=places.device)[None, :, None]
    first = torch.where(present, number, frames).amin(dim=1)  # (B, K)
    last = torch.where(present, number, -1).amax(dim=1)
    end = _at(places, last.clamp(min=0))
    way = end - _at(places, first.clamp(max=frames - 1))
    speed = way / (last - first).clamp(min=1)[..., None] / REACH
    middle = (places.new_tensor(size) - 1) / 2
    span = last * (last + 1) // 2 + last - first  # its number among all spans
    when = 2 * (span + 1) / (frames * (frames + 1) // 2) - 1
    units = torch.cat([when[..., None], end / middle - 1, speed], dim=2)
    return torch.where((last >= 0)[..., None], units, nothing).clamp(-1, 1).flatten(1)


def from_units(units: Tensor, frames: int, size: tuple[int, int]) -> Points:
    """Where the artifacts of tracks are.

    Args:
        units: (B, K * UNITS).
        frames: C.
        size: (H, W) of the frames.

    Returns:
        (B, C, K). Between its first and its last frame an artifact moves at a constant speed.
    """
    tracks = units.view(units.shape[0], -1, UNITS)
    when, end, speed = tracks[..., 0], tracks[..., 1:3], tracks[..., 3:]
    spans = [(first, last) for last in range(frames) for first in range(last, -1, -1)]
    span = ((when + 1) / 2 * len(spans)).round().long() - 1  # (B, K), -1: none
    none = (frames, -1)
    first, last = torch.tensor([*spans, none], device=units.device)[span].unbind(dim=-1)
    number = torch.arange(frames, device=units.device)[None, :, None]
    present = (first[:, None] <= number) & (number <= last[:, None])
    middle = (units.new_tensor(size) - 1) / 2
    back = (last[:, None] - number)[..., None]
    places = ((end + 1) * middle)[:, None] - back * speed[:, None] * REACH
    return Points(places, present)


def artifact_maps(units: Tensor, cells: tuple[int, int]) -> Tensor:
    """Coarse maps of the artifacts in the newest frame: where they are, and where they move to.

    There are three maps: presence, way down and way to the right. An artifact is ``STRONG`` in the
    first. In the others it is as strong if its way in a step is ``FAST`` or more, and less, or
    negative, otherwise. The cells around it share this in proportion to how near they are. So the
    maps are the same whatever the order of the tracks, and a layer on top can tell places and ways
    apart that differ little in coordinates.

    Args:
        units: (B, K * UNITS), of four frames.
        cells: Rows and columns of a map.

    Returns:
        (B, ``MAPS`` * rows * columns) float32.
    """
    tracks = units.view(units.shape[0], -1, UNITS)
    shares: list[Tensor] = []
    for axis, count in enumerate(cells):
        place = (tracks[:, :, 1 + axis, None] + 1) / 2 * (count - 1)  # in cells
        away = (torch.arange(count, device=units.device) - place).abs()
        shares.append((1 - away).clamp(min=0))
    rows, columns = shares
    present = STRONG * (tracks[:, :, :1] > NEWEST).to(units.dtype)
    way = (tracks[:, :, 3:] * REACH / FAST).clamp(-1, 1)
    strength = torch.cat([present, present * way], dim=2)  # (B, K, MAPS)
    return ((strength[..., None] * rows[:, :, None]).flatten(2).mT @ columns).flatten(1)


def linked(points: Points) -> Points:
    """Reorder the points of every frame so that one number is one artifact in all frames.

    It goes from the newest frame back to the oldest. Of all ways to pair the artifacts with the
    points of the next older frame, it takes the one with the shortest ways. A point farther than
    ``REACH`` from every artifact is another artifact if a number is left, and is lost otherwise.

    Args:
        points: (B, C, K); the order in the newest frame stays.
    """
    batch, frames, count = points.present.shape
    orders = torch.tensor([*permutations(range(count))], device=points.places.device)  # (P, K)
    index = orders.T.expand(batch, count, -1)
    places, present = [points.places[:, -1]], [points.present[:, -1]]
    used = present[0]
    for frame in range(frames - 2, -1, -1):
        place, there = points.places[:, frame], points.present[:, frame]
        gap = distances(places[-1], place) - REACH  # (B, K, K)
        alive = present[-1][:, :, None]
        is_link = alive & (gap < 0)
        cost = torch.where(is_link, gap, 0.0)
        # A point that takes the number of another artifact is lost. This costs as much as the
        # shortest way saves.
        cost = torch.where(used[:, :, None] & ~is_link, REACH, cost)
        cost = torch.where(there[:, None], cost, 0.0)
        best = orders[cost.gather(2, index).sum(dim=1).argmin(dim=1)]  # (B, K)
        lost = cost.gather(2, best[:, :, None])[:, :, 0] >= REACH
        places.append(place.gather(1, best[:, :, None].expand_as(place)))
        present.append(there.gather(1, best) & ~lost)
        used = used | present[-1]
    return Points(torch.stack(places[::-1], dim=1), torch.stack(present[::-1], dim=1))


def distances(ones: Tensor, others: Tensor) -> Tensor:
    """Between each of the places (B, K, 2) and each of (B, L, 2), in pixels, (B, K, L)."""
    ways = ones[:, :, None] - others[:, None]
    return cast(Tensor, torch.linalg.vector_norm(ways, dim=3))


def _at(places: Tensor, frame: Tensor) -> Tensor:
    """(B, C, K, 2) and numbers of frames (B, K) to the places there, (B, K, 2)."""
    return places.gather(1, frame[:, None, :, None].expand(-1, 1, -1, 2))[:, 0]
