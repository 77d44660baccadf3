"""Frames of recorded episodes, as an encoder sees them, with what is known of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import Recording, visible_projectiles
from encoders import Detector
from envs import Projection
from envs.kung_fu_master import ram as truth


class Knife(NamedTuple):
    """A visible knife."""

    step: int
    """In whose newest frame it is."""
    box: truth.Box
    own: NDArray[np.bool_]
    """(H, W), its pixels."""
    age: int
    """Agent steps since it appeared, in sight all the time."""


class Scene(NamedTuple):
    """Frames with their truth and detections; T agent steps."""

    frames: NDArray[np.uint8]
    """(T, H, W) grey levels."""
    stacks: NDArray[np.int64]
    """(T, 4) rows of the frames of every observation."""
    regions: NDArray[np.uint8]
    """(T, H, W), what the detector finds in the frames."""
    knives: list[Knife]
    """Every visible knife, in order; a frame has at most one."""
    player_x: NDArray[np.int64]
    """(T,), column of the player's middle."""

    def thinned(self, interval: int) -> "Scene":
        """Keep every ``interval``-th observation, and all frames; enough to fit a probe."""
        kept = [
            knife._replace(step=knife.step // interval)
            for knife in self.knives
            if knife.step % interval == 0
        ]
        player_x = self.player_x[::interval]
        return self._replace(stacks=self.stacks[::interval], knives=kept, player_x=player_x)


def scene(recording: Recording, projection: Projection, detector: Detector) -> Scene:
    """Project a recording, detect in it, and look up its knives."""
    frames = recording.project(projection)
    knives: list[Knife] = []
    for t, box, own in visible_projectiles(recording):
        if box.kind == truth.Kind.KNIFE:
            before = knives[-1] if knives else None
            goes_on = before and before.step == t - 1 and not recording.starts[t]
            knives.append(Knife(t, box, own, before.age + 1 if before and goes_on else 0))
    stacks = recording.stacks()
    player_x = np.array([truth.player_x(ram) for ram in recording.ram])
    return Scene(frames, stacks, detect(detector, frames, stacks), knives, player_x)


def detect(
    detector: Detector, frames: NDArray[np.uint8], stacks: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """What is found in many frames, in batches: (T, H, W) uint8 to the same.

    Args:
        detector: Looks at observations.
        frames: (T, H, W), real or drawn.
        stacks: (T, 4), rows of the frames of every observation.
    """
    parts = (stacks[t : t + 64] for t in range(0, len(stacks), 64))
    return np.concatenate([detector(frames[rows]) for rows in parts])
