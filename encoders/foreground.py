"""Find small isolated things of any level in front of a known backdrop, with OpenCV.

For games in which what is small has no level of its own. NumPy and OpenCV only.
"""

from itertools import pairwise
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from encoders.artifacts import ArtifactDetectorConfig, centre_surround, check_obs

Range = tuple[int, int]
MANY = 5
"""More small parts of one level and area in a frame than these are scenery: stars, debris, figures
in rows. The console itself has five moving objects."""
PARTS = 3
"""Most parts of one artifact."""
SOLID = 0.55
"""Smallest share of its box that a part of an artifact fills. Debris is dotted."""
CHANGED = 16
"""From so many levels on a pixel has changed. Things differ from any backdrop by as much, and a
reconstruction of what rests differs by less from frame to frame."""
FRONT, ALONE = 1, 2
"""Bits of a pixel that is in front of the backdrop, and has a level that flies alone."""
ONE_PART = 1 << 12
"""What a part counts beside its pixels, of which no box has as many."""


class Scene(Protocol):
    """What is known of a game's frames before they come. Ranges have their first and last value."""

    @property
    def backdrop(self) -> tuple[tuple[Range, ...], ...]:
        """For each row the levels that are behind things there, as ranges."""
        ...

    @property
    def live(self) -> tuple[int, ...]:
        """For each row the first column in which anything changes; the width if nothing does."""
        ...

    @property
    def alone(self) -> tuple[int, ...]:
        """Levels of things that are small and fly alone nearly always."""
        ...


class SmallParts(NamedTuple):
    """Small things that hang together in front of the backdrop: K of them, with P pixels."""

    frames: NDArray[np.int64]
    """(P,): in which frame each pixel is."""
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    owner: NDArray[np.int64]
    """(P,): which part it belongs to."""
    first: NDArray[np.int64]
    """(K,): which pixel is the first of each part."""
    tops: NDArray[np.int64]
    """(K,), as all that follow: the box of each part, in its frame."""
    lefts: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    areas: NDArray[np.int64]
    """In pixels."""

    @property
    def at(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Index of the pixels in (N, H, W)."""
        return self.frames, self.rows, self.columns


class ForegroundDetector:
    """What is small, alone and moving in front of the backdrop, whatever its level.

    A part is what hangs together in front of the backdrop. It is small if it fits the centre box
    and has few pixels. An artifact is up to ``PARTS`` small parts, with no other small part in
    their surround and nothing else of their level. A large thing of another level may come as
    close as it does not touch.

    A part is no artifact if it rests, if there are more than ``MANY`` of its kind, if it is dotted,
    or if it ends where nothing ever changes, because the rest of it may be hidden there. What has a
    level that flies alone is found while it touches other things, too.
    """

    def __init__(self, config: ArtifactDetectorConfig, scene: Scene) -> None:
        """Build the detector; ``config`` has checked its own fields."""
        self.config = config
        tables = np.full((len(scene.backdrop), 256), FRONT, np.uint8)
        tables[:, [*scene.alone]] |= ALONE
        for table, ranges in zip(tables, scene.backdrop, strict=True):
            for first, last in ranges:
                table[first : last + 1] = 0
        # Rows beside each other that have the same table are looked up at once.
        cuts = [0, *(np.flatnonzero((tables[1:] != tables[:-1]).any(axis=1)) + 1), len(tables)]
        self._bands = [(slice(*cut), tables[cut[0]]) for cut in pairwise(cuts)]
        self._live = np.array(scene.live)

    def __call__(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Find the pixels of artifacts in the newest frames of observations.

        Args:
            obs: (N, C, H, W) uint8, any N and C, as high as the backdrop.

        Returns:
            (N, H, W) uint8: 1 in an artifact's pixels, 0 elsewhere.

        Raises:
            ValueError: If ``obs`` has another type or shape.
        """
        check_obs(obs)
        if obs.shape[2] != len(self._live):
            raise ValueError(f"obs must have {len(self._live)} rows, got {obs.shape[2]}")
        frames = obs[:, -1]
        pixels = np.zeros(frames.shape, np.uint8)
        kinds = np.empty_like(pixels)
        for rows, table in self._bands:
            kinds[:, rows] = cv2.LUT(frames[:, rows], table)
        front = kinds != 0
        moved = front & _changed(obs)
        # Where everything rests there is no artifact.
        busy = np.flatnonzero(moved.any(axis=(1, 2)))
        if len(busy):
            frames, front, moved = frames[busy], front[busy], moved[busy]
            found = self._small(frames, front, moved)
            alone = kinds[busy] >= ALONE
            if alone.any():
                found |= centre_surround(self.config, alone, moved & alone)
            pixels[busy] = found
        return pixels

    def _small(
        self, frames: NDArray[np.uint8], front: NDArray[np.bool_], moved: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        """What of (N, H, W) is small, alone and moving."""
        parts = self._parts(front)
        levels = frames[parts.at][parts.first].astype(np.int64)
        few = _few_of_a_kind(parts, levels)
        chosen = np.zeros(len(few), np.bool_)
        candidates = self._isolated(parts, few, front.shape)[parts.at] & moved[parts.at]
        chosen[parts.owner[candidates & few[parts.owner]]] = True
        found = np.zeros(front.shape, np.uint8)
        found[parts.at] = chosen[parts.owner]
        reach = self.config.surround
        for number in np.flatnonzero(chosen):
            frame = parts.frames[parts.first[number]]
            top, left = parts.tops[number], parts.lefts[number]
            bottom, right = top + parts.heights[number], left + parts.widths[number]
            around = (
                frame,
                slice(max(0, top - reach), bottom + reach),
                slice(max(0, left - reach), right + reach),
            )
            kin = front[around] & (frames[around] == levels[number]) & (found[around] == 0)
            if kin.any() or self._goes_on(top, bottom, left, right, front.shape[2]):
                chosen[number] = False
        found[parts.at] = chosen[parts.owner]
        return found

    def _parts(self, front: NDArray[np.bool_]) -> SmallParts:
        """What of (N, H, W) hangs together and is small."""
        # The frames become one tall image: one OpenCV call serves all of them.
        count, height, width = front.shape
        pitch = height + 1  # with an empty row in between
        stacked = np.zeros((count, pitch, width), np.uint8)
        stacked[:, :height] = front
        # Of all algorithms this one takes half as long as the others.
        _, labels, boxes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
            stacked.reshape(-1, width), 8, cv2.CV_32S, cv2.CCL_GRANA
        )
        lefts, tops, widths, heights, areas = boxes.T
        small = (widths <= self.config.centre_width) & (heights <= self.config.centre_height)
        small &= areas <= self.config.max_pixels
        small[0] = False  # what is behind
        place = np.flatnonzero(stacked)  # all else has label 0
        label = labels.reshape(-1)[place]
        kept = small[label]
        rows, columns = np.divmod(place[kept], width)
        numbers, first, owner = np.unique(label[kept], return_index=True, return_inverse=True)
        boxes = tops % pitch, lefts, heights, widths, areas
        boxes = (part[numbers].astype(np.int64) for part in boxes)
        return SmallParts(rows // pitch, rows % pitch, columns, owner, first, *boxes)

    def _isolated(
        self, parts: SmallParts, few: NDArray[np.bool_], shape: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        """Where of (N, H, W) there is a centre box with an artifact in it and an empty surround.

        Two box convolutions count the pixels of small parts, and with them how many parts the
        centre has, and whether the surround has a dotted one.
        """
        count, height, width = shape
        centre = self.config.centre_width, self.config.centre_height
        outer = centre[0] + 2 * self.config.surround, centre[1] + 2 * self.config.surround
        gap = outer[1] // 2  # empty rows, so that no box reaches from one frame into the next
        weights = np.zeros((2, count, height + gap, width), np.uint16)
        weights[:, *parts.at] = few[parts.owner]
        starts = tuple(part[parts.first[few]] for part in parts.at)
        weights[0][starts] += ONE_PART
        dotted = few & (parts.areas < SOLID * parts.heights * parts.widths)
        weights[1][tuple(part[dotted[parts.owner]] for part in parts.at)] += ONE_PART
        inside, around = (
            _box_sums(weight.reshape(-1, width), box)
            for weight, box in zip(weights, (centre, outer), strict=True)
        )
        hits = ((inside & (ONE_PART - 1)) == around) & (around >= self.config.min_pixels)
        hits &= (around <= self.config.max_pixels) & (inside < (PARTS + 1) * ONE_PART)
        hits = hits.astype(np.uint8).reshape(count, -1, width)
        hits[:, height:] = 0  # a box between frames sees less
        boxes = cv2.dilate(hits.reshape(-1, width), np.ones(centre[::-1], np.uint8))
        return np.asarray(boxes, np.bool_).reshape(hits.shape)[:, :height]

    def _goes_on(self, top: int, bottom: int, left: int, right: int, width: int) -> bool:
        """Whether a whole side of a box borders on a place where nothing ever changes."""
        height = len(self._live)
        above, below = self._live[max(0, top - 1)], self._live[min(height - 1, bottom)]
        at_edge = top == 0 or bottom == height or left == 0 or right == width
        beside = (self._live[top:bottom] >= left).all()
        return bool(at_edge or max(above, below) >= right or beside)


def _few_of_a_kind(parts: SmallParts, levels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which parts, (K,), have at most ``MANY`` of one level and area in their frame."""
    kinds = (parts.frames[parts.first] * 256 + levels) * 256 + parts.areas % 256
    _, kind, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    return counts[kind] <= MANY


def _box_sums(image: NDArray[np.uint16], box: tuple[int, int]) -> NDArray[np.int32]:
    """Sums over a (width, height) box around each pixel; outside there is nothing."""
    sums = cv2.boxFilter(image, cv2.CV_32S, box, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(sums, np.int32)


def _changed(obs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the newest frame differs from an older one, (N, H, W)."""
    newest = obs[:, -1]
    changed = np.zeros(newest.shape, np.bool_)
    for older in range(obs.shape[1] - 1):
        changed |= cv2.absdiff(obs[:, older], newest) >= CHANGED
    return changed
