"""How well a reconstruction keeps the knives: figures against the truth in the game's RAM."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.scene import Knife, Scene, detect
from encoders import Detector
from envs.projection import ARTIFACT, BACKGROUND

HALF = (BACKGROUND + ARTIFACT) / 2
"""Grey level at half of a knife's contrast to the background."""


def fidelity(
    test: Scene, drawn: NDArray[np.float32], std: float, detector: Detector
) -> dict[str, float | None]:
    """Figures of the newest frames' reconstructions.

    Args:
        test: What should have been drawn.
        drawn: What was drawn: (T, H, W) float32 in grey levels, neither rounded nor cut.
        std: How many grey levels one normalised unit is.
        detector: Judges the reconstructions.

    Returns:
        Figures by name, where an empty frame is one in which neither the detector finds an artifact
        nor the RAM has a visible knife, and both errors are in normalised units squared:

        - ``knife_recall``: share of the visible knives whose own pixels, on average, are drawn
          with at least half of a knife's contrast to the background.
        - ``knife_recall_appeared``: the same of those that have just appeared, None if none has.
        - ``knife_recall_every_pixel``: share of the visible knives of which every pixel is.
        - ``ghost_rate``: share of the empty frames in whose reconstruction the detector finds an
          artifact.
        - ``ghosts_after_knife``: share of these ghosts in whose older frames there is a knife; None
          if there is no ghost.
        - ``smear_rate``: share of the empty frames in whose reconstruction any pixel has at least
          half of a knife's contrast. So nobody can win by painting everything.
        - ``position_error_px``: mean distance, in frames with a knife, between the centre of what
          the detector finds in the frame and of what it finds in the reconstruction; None if there
          is no frame in which it finds both.
        - ``explained_variance``: share of the frames' variance around their mean image that is
          drawn; 0 if the mean image is drawn.
        - ``background_mse``: mean squared error outside all regions and knives.
        - ``knife_mse``: mean squared error on the knives' own pixels.
    """
    found = detect(detector, drawn.round().clip(0, 255).astype(np.uint8), test.stacks)
    steps = [knife.step for knife in test.knives]
    kept = are_kept(test.knives, drawn[steps])
    distances = [
        float(np.linalg.norm(_centre(found[t]) - _centre(test.regions[t])))
        for t in steps
        if found[t].any() and test.regions[t].any()
    ]
    knives = np.zeros(test.frames.shape, bool)
    for knife in test.knives:
        knives[knife.step] = knife.own
    has_knife = np.asarray(knives.any(axis=(1, 2)))
    empty = np.asarray(~(test.regions.any(axis=(1, 2)) | has_knife))
    ghosts = np.asarray(empty & found.any(axis=(1, 2)))
    after = np.asarray(has_knife[test.stacks].any(axis=1))
    appeared = [knife.age == 0 for knife in test.knives]
    error = ((drawn - test.frames) / std) ** 2
    return {
        "knife_recall": float(np.mean(kept)),
        "knife_recall_appeared": float(np.mean(kept[appeared])) if any(appeared) else None,
        "knife_recall_every_pixel": float(
            np.mean([(drawn[knife.step][knife.own] >= HALF).all() for knife in test.knives])
        ),
        "ghost_rate": float(ghosts[empty].mean()),
        "ghosts_after_knife": float(after[ghosts].mean()) if ghosts.any() else None,
        "smear_rate": float((drawn[empty] >= HALF).any(axis=(1, 2)).mean()),
        "position_error_px": float(np.mean(distances)) if distances else None,
        "explained_variance": 1 - float(error.mean() / (test.frames.var(axis=0).mean() / std**2)),
        "background_mse": float(error[(test.regions == 0) & ~knives].mean()),
        "knife_mse": float(error[knives].mean()),
    }


def _centre(region: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.argwhere(region).mean(axis=0)


def are_kept(knives: Sequence[Knife], drawn: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which knives are drawn with at least half of their contrast, in the mean of their own pixels.

    Args:
        knives: K of them.
        drawn: (K, H, W), the drawing of the frame of each, in grey levels.
    """
    pairs = zip(knives, drawn, strict=True)
    return np.array([frame[knife.own].mean() >= HALF for knife, frame in pairs], np.bool_)


def recall_by_slot(
    test: Scene, draw: Callable[[NDArray[np.int64]], NDArray[np.float32]]
) -> dict[str, float]:
    """Recall of the knives in each of the four frames of an observation.

    Args:
        test: What should be drawn.
        draw: Takes (B,) numbers of observations, gives (B, 4, H, W) in grey levels.

    Returns:
        ``knife_recall_frame_1``, the oldest, to ``knife_recall_frame_4``.
    """
    of_step = {knife.step: knife for knife in test.knives}
    figures: dict[str, float] = {}
    for slot in range(test.stacks.shape[1]):
        shown = test.stacks[:, slot]
        which = np.flatnonzero(np.isin(shown, list(of_step)))
        knives = [of_step[int(step)] for step in shown[which]]
        kept = [
            are_kept(knives[start : start + 256], draw(which[start : start + 256])[:, slot])
            for start in range(0, len(which), 256)
        ]
        figures[f"knife_recall_frame_{slot + 1}"] = float(np.concatenate(kept).mean())
    return figures
