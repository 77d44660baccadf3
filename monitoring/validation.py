"""What the autoencoder makes of games from which it never learns."""

from collections import deque
from statistics import median

import torch

from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, Autoencoder, RegionFinder
from encoders.fidelity import artifact_fidelity

SAMPLE = 256
"""Observations whose error is compared, of either kind."""
OVERFITTED = 1.25
"""Median of recent gaps that is worth a warning."""
RECENT = 16
"""Gaps of which that is the median; a few games alone say little."""


class Overfitting:
    """Watches the gap and warns once."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._gaps: deque[float] = deque(maxlen=RECENT)
        self._warned = False

    def watch(self, gap: float | None) -> str:
        """Take the newest gap, if there is one; returns a warning the first time it is due."""
        if gap is not None:
            self._gaps.append(gap)
        if self._warned or len(self._gaps) < RECENT or (middle := median(self._gaps)) < OVERFITTED:
            return ""
        self._warned = True
        return (
            "warning: in games from which it does not learn, the autoencoder's error is "
            f"{middle:.2f} times that in the others; see validation/gap in TensorBoard"
        )


@torch.no_grad()
def validation_metrics(
    autoencoder: Autoencoder,
    finder: RegionFinder,
    rollout: Rollout,
    weights: ArtifactWeightsConfig,
) -> dict[str, float]:
    """Compare observations of a rollout that were held out with those that were learned from.

    Returns:
        ``validation/reconstruction``, the plain mean squared error of what was held out,
        ``validation/gap``, the same as a multiple of that of the others, ``validation/recall`` and
        ``validation/ghost_rate``. What the rollout has no frames for is absent.
    """
    errors: list[float] = []
    for held_out in (True, False):
        indices = rollout.sample(SAMPLE, held_out=held_out)
        if not len(indices):
            return {}
        obs, regions = rollout.observations(indices), rollout.observation_regions(indices)
        tracks = rollout.observation_tracks(indices)
        latent = autoencoder.encode(obs, tracks)
        errors.append(autoencoder.loss(latent, obs, regions, weights).unweighted.item())
    fidelity = artifact_fidelity(autoencoder, finder, *rollout.fidelity_sample(held_out=True))
    return {
        "validation/reconstruction": errors[0],
        "validation/gap": errors[0] / max(errors[1], 1e-12),
        **{name.replace("artifacts/", "validation/"): value for name, value in fidelity.items()},
    }
