"""The gauges of many games, frame after frame: what they show, and what has changed.

A scene is one try at one stage: it begins when the game begins and whenever the player's health has
been refilled.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.gauges import HEALTH, OPPONENT, WAY, Bar, Gauge, Lamps, PaintReader, gauge_names
from envs.way import Numbers, Screens, Way, WayReader

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
        self._painted = PaintReader([gauge for gauge in gauges if not isinstance(gauge, Way)])
        self._stages = {
            gauge.name: np.eye(gauge.count, dtype=np.float32)
            for gauge in gauges
            if isinstance(gauge, Lamps)
        }
        ways = [gauge for gauge in gauges if isinstance(gauge, Way)]
        self._ways = {way.name: (WayReader(way, num_envs), way.full) for way in ways}
        bars = [gauge for gauge in gauges if isinstance(gauge, Bar) and gauge.name == HEALTH]
        self._health = bars[0] if bars else None
        names = gauge_names(gauges)
        self._columns = {
            gauge.name: slice(names.index(gauge.names[0]), names.index(gauge.names[-1]) + 1)
            for gauge in gauges
        }
        self._shown = np.zeros((num_envs, len(names)), np.float32)
        self._begins = np.ones(num_envs, bool)  # whether the next screen begins an episode
        self._stage = np.ones(num_envs, np.int64)

    def read(self, screens: Screens, envs: Numbers) -> Reading:
        """Take in the next screens.

        Args:
            screens: (M, H, W, 3) uint8, native RGB.
            envs: (M,) int64, of which games they are.
        """
        before, after = self._shown[envs], np.empty((len(envs), self._shown.shape[1]), np.float32)
        scene = self._begins[envs]
        self._begins[envs] = False
        numbers = self._painted.read(screens)
        if HEALTH in numbers:
            scene |= (self._of(before, HEALTH) == 0) & (numbers[HEALTH] > 0)
        for name, one_of in self._stages.items():
            stage = self._number(numbers.pop(name), len(one_of), envs, scene)
            after[:, self._columns[name]] = one_of[stage - 1]
        for name, (way, full) in self._ways.items():
            numbers[name] = way.read(screens, envs, scene) / full
        for name, number in numbers.items():
            after[:, self._columns[name].start] = number
        self._shown[envs] = np.minimum(after, 1, out=after)
        return Reading(after, self._changes(before, after, scene))

    def forget(self, envs: Numbers) -> None:
        """Take note that the next screens of these games (M,) begin an episode."""
        self._begins[envs] = True

    def _of(self, values: Values, name: str) -> Values:
        """A gauge's column (M,) of ``values`` (M, G)."""
        return values[:, self._columns[name].start]

    def _changes(self, before: Values, after: Values, scene: NDArray[np.bool_]) -> Values:
        """What has happened since ``before`` was shown, (M, 3), where no ``scene`` begins."""
        changes = np.zeros((len(before), len(CHANGES)), np.float32)
        if bar := self._health:
            damage = self._of(before, HEALTH) - self._of(after, HEALTH)
            none = damage < 0
            if bar.taken_by:
                none |= self._of(after, bar.taken_by) == 0
            if bar.counted_by:
                pixel = 1.5 / (bar.columns[1] - bar.columns[0])
                none |= (self._of(after, bar.counted_by) == 0) & (damage < pixel)
            changes[:, 0] = damage * ~none
        if OPPONENT in self._columns:
            changes[:, 1] = self._of(before, OPPONENT) - self._of(after, OPPONENT)
        if WAY in self._columns:
            changes[:, 2] = self._of(after, WAY) - self._of(before, WAY)
        changes[scene] = 0
        return changes

    def _number(
        self, lit: NDArray[np.float64], count: int, envs: Numbers, scene: NDArray[np.bool_]
    ) -> Numbers:
        """Number of the stage (M,) though its last lamp blinks; a scene begins with it unlit."""
        known = self._stage[envs]
        fits = ((lit == known) | (lit == known - 1)) & ~scene
        stage = np.where(fits, known, np.where(scene | (lit < known), lit + 1, lit))
        self._stage[envs] = stage = np.minimum(np.maximum(stage, 1), count).astype(np.int64)
        return stage
