"""What a detector finds, and a reconstruction keeps, of small objects: against the game's RAM."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.detector import grown, numbered_parts, share
from benchmarks.game_scene import GameScene, Seen
from benchmarks.scene import detect
from encoders import RegionFinder

AROUND = 3
"""Pixels around an object whose median level is what is behind it."""


def detection(pixels: NDArray[np.uint8], objects: Sequence[Seen]) -> dict[str, float | None]:
    """Precision and recall of what a detector finds, (T, H, W), and how many parts that is.

    An object is recalled if one of its pixels is detected. A detected part is right if it touches
    an object that can be seen.
    """
    own = np.zeros(pixels.shape, np.bool_)
    for seen in objects:
        own[seen.step] |= seen.own
    parts = right = 0
    for t in np.flatnonzero(pixels.any(axis=(1, 2))):
        labels = numbered_parts(pixels[t])
        parts += int(labels.max())
        right += len(np.unique(labels[grown(own[t]) & (labels != 0)]))
    recalled = sum(bool(pixels[seen.step][seen.own].any()) for seen in objects)
    return {
        "parts": parts,
        "precision": share(right, parts),
        "recall": share(recalled, len(objects)),
    }


def fidelity(
    test: GameScene, drawn: NDArray[np.float32], std: float, finder: RegionFinder
) -> dict[str, float | None]:
    """What the newest frames' reconstructions keep.

    Args:
        test: What should have been drawn.
        drawn: What was drawn: (T, H, W) float32 in grey levels, neither rounded nor cut.
        std: How many grey levels one normalised unit is.
        finder: Judges the reconstructions.

    Returns:
        Figures by name, where an empty frame is one in which neither the detector finds an artifact
        nor the RAM has an object that can be seen:

        - ``recall``: share of the objects that are drawn, on average over their own pixels, with at
          least half of their contrast to what is behind them.
        - ``ghost_rate``: share of the empty frames in whose reconstruction the detector finds an
          artifact; None if there is no such frame.
        - ``background_mse``: mean squared error outside all regions and objects, in normalised
          units squared.
    """
    found = detect(finder.pixels, drawn.round().clip(0, 255).astype(np.uint8), test.scene.stacks)
    frames, own = test.scene.frames, np.zeros(drawn.shape, np.bool_)
    kept = [is_kept(frames[seen.step], drawn[seen.step], seen.own) for seen in test.objects]
    for seen in test.objects:
        own[seen.step] |= seen.own
    empty = np.asarray(~(test.scene.regions.any(axis=(1, 2)) | own.any(axis=(1, 2))))
    ghosts = found[empty].any(axis=(1, 2))
    error = ((drawn - frames) / std) ** 2
    return {
        "recall": float(np.mean(kept)) if kept else None,
        "ghost_rate": float(ghosts.mean()) if empty.any() else None,
        "background_mse": float(error[(test.scene.regions == 0) & ~own].mean()),
    }


def is_kept(frame: NDArray[np.uint8], drawn: NDArray[np.float32], own: NDArray[np.bool_]) -> bool:
    """Whether an object, (H, W), is drawn with at least half of its contrast.

    What is behind it is the median of the pixels up to ``AROUND`` from it.
    """
    side = 2 * AROUND + 1
    near = cv2.dilate(own.astype(np.uint8), np.ones((side, side), np.uint8)) != 0
    behind = float(np.median(frame[near & ~own]))
    contrast = frame[own] - behind
    return bool(((drawn[own] - behind) * contrast).sum() >= (contrast**2).sum() / 2)
