"""The gauges of many games, frame after frame: what they show, and what has changed.

A scene is one try at one stage: it begins when the game begins and whenever the player's health has
been refilled.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.gauges import HEALTH, OPPONENT, WAY, Bar, Gauge, Lamps, Number, Way

CHANGES = ("damage", "opponent", "way")
"""Names of what ``Reading.changes`` holds."""
Values = NDArray[np.float32]
"""What gauges show in M games, (M,) or (M, K)."""


class Reading(NamedTuple):
    """What new screens tell."""

    gauges: Values
    """(M, G) float32 in 0..1."""
    changes: Values
    """(M, 3) float32: what has happened since the screens before, each as a share of a gauge.

    ``damage`` is health that an enemy has taken. ``opponent`` is energy that the boss has lost, and
    ``way`` how much further the player is; below 0 if he has recovered, or the player walked back.
    The start of a scene changes nothing.
    """


class GaugeReader:
    """Reads the gauges of N games from their screens, frame after frame."""

    def __init__(self, gauges: Sequence[Gauge], num_envs: int) -> None:
        """Prepare for ``num_envs`` games, each at the start of an episode."""
        self._gauges = gauges
        bars = [gauge for gauge in gauges if isinstance(gauge, Bar) and gauge.name == HEALTH]
        self._health = bars[0] if bars else None
        self._compared = {HEALTH, OPPONENT, WAY}
        if self._health:
            self._compared |= {self._health.taken_by, self._health.counted_by} - {""}
        self._begins = np.ones(num_envs, bool)  # whether the next screen begins an episode
        self._stage = np.zeros(num_envs, np.int64)
        self._scrolled = np.zeros(num_envs, np.int64)
        self._place = np.zeros(num_envs, np.int64)
        self._start = np.zeros(num_envs, np.int64)
        self._waits = np.ones(num_envs, bool)  # for the player to be seen in this scene
        self._profile: NDArray[np.int32] | None = None
        self._shown = {gauge.name: np.zeros(num_envs, np.float32) for gauge in gauges}
        self._shown |= {name: np.zeros(num_envs, np.float32) for name in (HEALTH, OPPONENT, WAY)}

    def read(self, screens: NDArray[np.uint8], envs: NDArray[np.int64]) -> Reading:
        """Take in the next screens.

        Args:
            screens: (M, H, W, 3) uint8, native RGB.
            envs: (M,) int64, of which games they are.
        """
        before = {name: self._shown[name][envs] for name in (HEALTH, OPPONENT, WAY)}
        scene = self._begins[envs]
        self._begins[envs] = False
        values = [np.zeros((len(envs), 0), np.float32)]
        for gauge in self._gauges:
            match gauge:
                case Bar():
                    value = gauge.read(screens) / (gauge.columns[1] - gauge.columns[0])
                    if gauge.name == HEALTH:
                        scene |= (before[HEALTH] == 0) & (value > 0)
                case Lamps():
                    value = self._number(gauge, screens, envs, scene)
                    values.append(np.eye(gauge.count, dtype=np.float32)[value - 1])
                    continue
                case Number():
                    value = gauge.read(screens) / gauge.full
                case Way():
                    value = self._walk(gauge, screens, envs, scene) / gauge.full
            self._shown[gauge.name][envs] = np.minimum(value, 1)
            values.append(self._shown[gauge.name][envs, None])
        return Reading(np.concatenate(values, axis=1), self._changes(before, envs, scene))

    def forget(self, envs: NDArray[np.int64]) -> None:
        """Take note that the next screens of these games (M,) begin an episode."""
        self._begins[envs] = True

    def _changes(
        self, before: dict[str, Values], envs: NDArray[np.int64], scene: NDArray[np.bool_]
    ) -> Values:
        """What has happened since ``before`` was shown, (M, 3), where no ``scene`` begins."""
        after = {name: self._shown[name][envs] for name in self._compared}
        damage = np.maximum(before[HEALTH] - after[HEALTH], 0)
        bar = self._health
        if bar and bar.taken_by:
            damage[after[bar.taken_by] == 0] = 0
        if bar and bar.counted_by:
            pixel = 1.5 / (bar.columns[1] - bar.columns[0])
            damage[(after[bar.counted_by] == 0) & (damage < pixel)] = 0
        opponent, way = before[OPPONENT] - after[OPPONENT], after[WAY] - before[WAY]
        return np.where(scene[:, None], 0, np.stack([damage, opponent, way], axis=1))

    def _number(
        self,
        lamps: Lamps,
        screens: NDArray[np.uint8],
        envs: NDArray[np.int64],
        scene: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Number of the stage (M,) though its last lamp blinks; a scene begins with it unlit."""
        lit, known = lamps.read(screens), self._stage[envs]
        fits = ((lit == known) | (lit == known - 1)) & ~scene
        stage = np.where(fits, known, np.where(scene | (lit < known), lit + 1, lit))
        self._stage[envs] = np.minimum(np.maximum(stage, 1), lamps.count)
        return self._stage[envs]

    def _walk(
        self,
        way: Way,
        screens: NDArray[np.uint8],
        envs: NDArray[np.int64],
        scene: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Pixels (M,) that the player is away from where he was first seen in the scene."""
        profile = way.profile(screens)
        if self._profile is None:
            self._profile = np.zeros((len(self._begins), profile.shape[1]), np.int32)
        scrolled = self._scrolled[envs] - way.motion(self._profile[envs], profile)
        self._profile[envs] = profile
        self._scrolled[envs] = np.where(scene, 0, scrolled)
        found = way.place(screens)
        self._place[envs] = np.where(found < 0, self._place[envs], found)  # where he was seen last
        position = self._scrolled[envs] + self._place[envs]
        waits = self._waits[envs] | scene
        self._start[envs] = np.where(waits, position, self._start[envs])
        self._waits[envs] = waits & (found < 0)
        return np.abs(position - self._start[envs])
