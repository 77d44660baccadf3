"""How well a reconstruction keeps the knives: figures against the truth in the game's RAM."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from benchmarks.data import Recording, visible_projectiles
from encoders import ArtifactDetector
from envs import Projection
from envs import ground_truth as truth
from envs.projection import ARTIFACT, BACKGROUND


class Scene(NamedTuple):
    """Frames with their truth and detections; T agent steps."""

    frames: NDArray[np.uint8]
    """(T, H, W) grey levels."""
    stacks: NDArray[np.int64]
    """(T, 4) rows of the frames of every observation."""
    regions: NDArray[np.uint8]
    """(T, H, W), the detector's on the frames."""
    knives: list[tuple[int, truth.Box, NDArray[np.bool_]]]
    """Step, box and own pixels of every visible knife."""

    def thinned(self, interval: int) -> "Scene":
        """Every ``interval``-th observation, with all frames; enough to fit a probe."""
        kept = [(t // interval, box, own) for t, box, own in self.knives if t % interval == 0]
        return self._replace(stacks=self.stacks[::interval], knives=kept)


def scene(recording: Recording, projection: Projection, detector: ArtifactDetector) -> Scene:
    """Project a recording, detect in it, and look up its knives."""
    frames = recording.project(projection)
    knives = [row for row in visible_projectiles(recording) if row[1].kind == truth.Kind.KNIFE]
    return Scene(frames, recording.stacks(), detect(detector, frames), knives)


def detect(detector: ArtifactDetector, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Regions of many frames, in batches: (T, H, W) uint8 to the same."""
    return np.concatenate([detector(frames[t : t + 64]) for t in range(0, len(frames), 64)])


def fidelity(
    test: Scene, drawn: NDArray[np.float32], std: float, detector: ArtifactDetector
) -> dict[str, float | None]:
    """Figures of the newest frames' reconstructions.

    Args:
        test: What should have been drawn.
        drawn: (T, H, W) float32, what was, in grey levels, neither rounded nor cut.
        std: Grey levels of one normalised unit.
        detector: Judges the reconstructions.

    Returns:
        ``knife_recall``: share of visible knives whose own pixels are on average past half of
        their contrast to the background; ``knife_recall_every_pixel``: share of which every single
        pixel is; ``ghost_rate``: share of frames without any artifact, neither detected nor in the
        RAM, in which the detector finds one; ``smear_rate``: share of the same frames in which any
        pixel at all is past half of a knife's contrast, so that nobody can win by painting
        everything; ``position_error_px``: mean distance between the centres of what the detector
        finds in a frame with a knife and in its reconstruction, where it finds anything, else
        None; ``background_mse`` and ``knife_mse``: outside all regions and knives, and on the
        knives' own pixels, in normalised units squared.
    """
    found = detect(detector, drawn.round().clip(0, 255).astype(np.uint8))
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
    """What a linear reader of the latent, (T, Z) float32, knows about the knife.

    Returns:
        ``probe_r2_x``: share of the variance of the knife's x in test frames that a ridge
        regression explains; ``probe_presence_auc``: area under the ROC curve of a logistic
        regression to whether a knife is visible. Both are fitted on the training frames, with
        standardised latents and a ridge of one.
    """
    mean, std = train_latents.mean(axis=0), train_latents.std(axis=0) + 1e-6

    def features(latents: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.c_[(latents - mean) / std, np.ones(len(latents))]

    known, unknown = features(train_latents), features(test_latents)
    rows, x = _places(train)
    test_rows, test_x = _places(test)
    predicted = unknown[test_rows] @ _ridge(known[rows], x)
    scores = unknown @ _logistic(known, np.isin(np.arange(len(known)), rows))
    present = np.isin(np.arange(len(unknown)), test_rows)
    wins = stats.mannwhitneyu(scores[present], scores[~present]).statistic
    return {
        "probe_r2_x": float(1 - np.square(test_x - predicted).mean() / test_x.var()),
        "probe_presence_auc": float(wins / (present.sum() * (~present).sum())),
    }


def _places(part: Scene) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps with a visible knife, and the left end of each knife in pixels."""
    steps = np.array([t for t, _, _ in part.knives], np.int64)
    return steps, np.array([box.left for _, box, _ in part.knives], np.float64)


def _ridge(features: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (F,) of a linear regression of targets (T,) on features (T, F), the last being 1."""
    penalty = np.eye(features.shape[1])
    penalty[-1, -1] = 0.0  # not the intercept
    normal = features.T @ features + penalty
    return np.asarray(np.linalg.solve(normal, features.T @ targets), np.float64)


def _logistic(features: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights (F,) of a logistic regression of labels (T,) on such features."""
    inputs, targets = torch.from_numpy(features), torch.from_numpy(labels).double()
    weights = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            inputs @ weights, targets, reduction="sum"
        )
        loss = loss + 0.5 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach().numpy()
