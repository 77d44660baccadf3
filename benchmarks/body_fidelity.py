"""How well a reconstruction keeps the bodies: player and enemies, apart from the wall."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.scene import Scene
from envs.projection import BACKGROUND

REACH = 12
"""Columns to either side of the player's middle that are his: he is 8 wide, and kicks."""
MARGIN = 2
"""Pixels around a body that count as its own: there a reconstruction may smear it."""
PEAK = 255.0
"""Of the grey levels."""


def body_fidelity(test: Scene, drawn: NDArray[np.float32]) -> dict[str, float | None]:
    """Peak signal-to-noise ratios in decibels of what is drawn of the newest frames.

    Twenty decibels are an error of a tenth of the range, thirty of a thirtieth. Who stands beside
    the player is taken for him: the RAM knows his place, not his outline.

    Args:
        test: What should have been drawn.
        drawn: What was drawn: (T, H, W) float32 in grey levels.

    Returns:
        ``player_psnr_db``, ``enemies_psnr_db`` and ``rest_psnr_db``, outside all artifact regions
        and knives; None where nothing of the kind is in sight, or there is no error.
    """
    squares, counts = np.zeros(3), np.zeros(3)
    columns = np.arange(int(test.frames.shape[2]))
    own = {knife.step: knife.own for knife in test.knives}
    side = np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)
    rows = zip(test.frames, drawn, test.regions, test.player_x, strict=True)
    for step, (frame, drawing, regions, player_x) in enumerate(rows):
        error = (drawing.clip(0, PEAK) - frame) ** 2
        others = (regions == 0) & ~own.get(step, np.bool_(False))
        foreground = (frame != BACKGROUND) & others
        bodies = cv2.dilate(foreground.astype(np.uint8), side) != 0
        player = bodies & (np.abs(columns - player_x) <= REACH)
        for kind, pixels in enumerate((player, bodies & ~player, ~bodies)):
            squares[kind] += error[pixels & others].sum()
            counts[kind] += (pixels & others).sum()
    names = ("player_psnr_db", "enemies_psnr_db", "rest_psnr_db")
    return {
        name: float(10 * np.log10(PEAK**2 * count / square)) if square and count else None
        for name, square, count in zip(names, squares, counts, strict=True)
    }
