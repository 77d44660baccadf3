"""How well a reconstruction keeps the knives: figures against the truth in the game's RAM."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from benchmarks.data import Recording, visible_projectiles
from encoders import Detector
from envs import Projection
from envs.kung_fu_master import ram as truth
from envs.projection import ARTIFACT, BACKGROUND


class Scene(NamedTuple):
    """Frames with their truth and detections; T agent steps."""

    frames: NDArray[np.uint8]
    """(T, H, W) grey levels."""
    stacks: NDArray[np.int64]
    """(T, 4) rows of the frames of every observation."""
    regions: NDArray[np.uint8]
    """(T, H, W), what the detector finds in the frames."""
    knives: list[tuple[int, truth.Box, NDArray[np.bool_]]]
    """Step, box and own pixels of every visible knife."""

    def thinned(self, interval: int) -> "Scene":
        """Keep every ``interval``-th observation, and all frames; enough to fit a probe."""
        kept = [(t // interval, box, own) for t, box, own in self.knives if t % interval == 0]
        return self._replace(stacks=self.stacks[::interval], knives=kept)


def scene(recording: Recording, projection: Projection, detector: Detector) -> Scene:
    """Project a recording, detect in it, and look up its knives."""
    frames = recording.project(projection)
    knives = [row for row in visible_projectiles(recording) if row[1].kind == truth.Kind.KNIFE]
    stacks = recording.stacks()
    return Scene(frames, stacks, detect(detector, frames, stacks), knives)


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
        - ``knife_recall_every_pixel``: share of the visible knives of which every pixel is.
        - ``ghost_rate``: share of the empty frames in whose reconstruction the detector finds an
          artifact.
        - ``smear_rate``: share of the empty frames in whose reconstruction any pixel has at least
          half of a knife's contrast. So nobody can win by painting everything.
        - ``position_error_px``: mean distance, in frames with a knife, between the centre of what
          the detector finds in the frame and of what it finds in the reconstruction; None if there
          is no frame in which it finds both.
        - ``background_mse``: mean squared error outside all regions and knives.
        - ``knife_mse``: mean squared error on the knives' own pixels.
    """
    found = detect(detector, drawn.round().clip(0, 255).astype(np.uint8), test.stacks)
    half = (BACKGROUND + ARTIFACT) / 2
    kept: list[bool] = []
    whole: list[bool] = []
    distances: list[float] = []
    for t, _, own in test.knives:
        pixels = drawn[t][own]
        kept.append(bool(pixels.mean() >= half))
        whole.append(bool((pixels >= half).all()))
        if found[t].any() and test.regions[t].any():
            distances.append(float(np.linalg.norm(_centre(found[t]) - _centre(test.regions[t]))))
    knives = np.zeros(test.frames.shape, bool)
    for t, _, own in test.knives:
        knives[t] = own
    empty = ~(test.regions.any(axis=(1, 2)) | knives.any(axis=(1, 2)))
    error = ((drawn - test.frames) / std) ** 2
    return {
        "knife_recall": float(np.mean(kept)),
        "knife_recall_every_pixel": float(np.mean(whole)),
        "ghost_rate": float(found[empty].any(axis=(1, 2)).mean()),
        "smear_rate": float((drawn[empty] >= half).any(axis=(1, 2)).mean()),
        "position_error_px": float(np.mean(distances)) if distances else None,
        "background_mse": float(error[(test.regions == 0) & ~knives].mean()),
        "knife_mse": float(error[knives].mean()),
    }


def _centre(region: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.argwhere(region).mean(axis=0)


def probes(
    train: Scene,
    train_latents: NDArray[np.float32],
    test: Scene,
    test_latents: NDArray[np.float32],
) -> dict[str, float]:
    """What linear models can read about the knife from the latents, (T, Z) float32.

    Returns:
        ``probe_r2_x``: share of the variance of the knife's x that a ridge regression explains.
        ``probe_presence_auc``: area under the ROC curve of a logistic regression that predicts
        whether a knife is visible. Both are fitted to the training frames, on standardised latents
        and with a penalty of one, and judged on the test frames.
    """
    scaler: Any = StandardScaler().fit(train_latents)
    known, unknown = scaler.transform(train_latents), scaler.transform(test_latents)
    rows, x = _places(train)
    test_rows, test_x = _places(test)
    present, test_present = np.zeros(len(known), bool), np.zeros(len(unknown), bool)
    present[rows], test_present[test_rows] = True, True
    place: Any = Ridge(alpha=1.0).fit(known[rows], x)
    presence: Any = LogisticRegression(C=1.0, max_iter=1000).fit(known, present)
    return {
        "probe_r2_x": float(place.score(unknown[test_rows], test_x)),
        "probe_presence_auc": float(
            roc_auc_score(test_present, presence.decision_function(unknown))
        ),
    }


def _places(part: Scene) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps with a visible knife, and the left end of each knife in pixels."""
    steps = np.array([t for t, _, _ in part.knives], np.int64)
    return steps, np.array([box.left for _, box, _ in part.knives], np.float64)
