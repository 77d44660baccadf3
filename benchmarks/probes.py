"""What can be read about the knife from the latents."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from benchmarks.scene import Scene

HIDDEN, MAX_ITERATIONS = 64, 200
"""Units and L-BFGS iterations of the probe that is not linear."""


def probes(
    train: Scene,
    train_latents: NDArray[np.float32],
    test: Scene,
    test_latents: NDArray[np.float32],
) -> dict[str, float]:
    """Fit models to the latents of training frames, (T, Z) float32, and judge them on test frames.

    Returns:
        ``probe_r2_x``: share of the variance of the knife's x that a ridge regression explains.
        ``probe_mlp_r2_x``: the same of a network with a hidden layer. What it reads and the ridge
        regression does not is there, but not linearly.
        ``probe_presence_auc``: area under the ROC curve of a logistic regression that predicts
        whether a knife is visible. All have standardised latents and a penalty of one.
    """
    scaler: Any = StandardScaler().fit(train_latents)
    known, unknown = scaler.transform(train_latents), scaler.transform(test_latents)
    rows, x = _places(train)
    test_rows, test_x = _places(test)
    present, test_present = np.zeros(len(known), bool), np.zeros(len(unknown), bool)
    present[rows], test_present[test_rows] = True, True
    place: Any = Ridge(alpha=1.0).fit(known[rows], x)
    network: Any = MLPRegressor(
        hidden_layer_sizes=HIDDEN,
        solver="lbfgs",
        alpha=1.0,
        max_iter=MAX_ITERATIONS,
        random_state=0,
    )
    scale = x.std() or 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limit is meant
        network.fit(known[rows], (x - x.mean()) / scale)
    presence: Any = LogisticRegression(C=1.0, max_iter=1000).fit(known, present)
    return {
        "probe_r2_x": float(place.score(unknown[test_rows], test_x)),
        "probe_mlp_r2_x": float(network.score(unknown[test_rows], (test_x - x.mean()) / scale)),
        "probe_presence_auc": float(
            roc_auc_score(test_present, presence.decision_function(unknown))
        ),
    }


def _places(part: Scene) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps with a visible knife, and the left end of each knife in pixels."""
    steps = np.array([knife.step for knife in part.knives], np.int64)
    return steps, np.array([knife.box.left for knife in part.knives], np.float64)
