"""What the encoder loses: the detector on reconstructions against the detector on the inputs."""

from dataclasses import replace

import torch

from agent.actor_critic import ActorCritic
from agent.rollout import Rollout
from encoders import ArtifactDetector

SHARE, FEWEST = 64, 16
"""One frame with an artifact for so many steps of the rollout is looked at, but no fewer than
``FEWEST`` if there are as many; and as many frames without."""


@torch.no_grad()
def artifact_fidelity(
    model: ActorCritic, detector: ArtifactDetector, rollout: Rollout
) -> dict[str, float]:
    """Compare the newest frames of some observations with their reconstructions.

    No label is needed, so this works in any game in which the detector finds something.

    Args:
        model: Draws the reconstructions.
        detector: The one that made the regions of ``rollout``.
        rollout: Filled by the collector.

    Returns:
        ``artifacts/recall``, the share of frames with an artifact in whose reconstruction the
        detector finds one with a pixel inside the input's region, and ``artifacts/ghost_rate``,
        the share of frames without any in whose reconstruction it finds one all the same. Either
        is absent if the rollout has no such frame.
    """
    exact = ArtifactDetector(replace(detector.config, margin=0))
    has_artifact = rollout.has_artifact.flatten()
    metrics: dict[str, float] = {}
    for tag, rows in (
        ("artifacts/recall", has_artifact.nonzero().flatten()),
        ("artifacts/ghost_rate", (~has_artifact).nonzero().flatten()),
    ):
        if not len(rows):
            continue
        count = min(max(FEWEST, rollout.size // SHARE), len(rows))
        spread = torch.linspace(0, len(rows) - 1, count, device=rows.device)
        chosen = rows[spread.long()]
        reconstruction = model.reconstruct(rollout.observations(chosen))[:, -1]
        found = torch.from_numpy(exact(reconstruction.cpu().numpy())) != 0
        if tag == "artifacts/recall":
            found &= rollout.observation_regions(chosen)[:, -1].cpu() != 0
        metrics[tag] = found.flatten(1).any(dim=1).float().mean().item()
    return metrics
