"""What a reconstruction keeps: the detector on reconstructions against the detector on inputs."""

import torch
from torch import Tensor

from encoders.autoencoder import Autoencoder
from encoders.regions import RegionFinder


@torch.no_grad()
def artifact_fidelity(
    autoencoder: Autoencoder, finder: RegionFinder, obs: Tensor, regions: Tensor
) -> dict[str, float]:
    """Compare the newest frames of observations with their reconstructions.

    No label is needed, so this works in any game in which the detector finds something.

    Args:
        autoencoder: Draws the reconstructions.
        finder: What made ``regions``.
        obs: (B, C, H, W) uint8.
        regions: (B, H, W) uint8, non-zero in the artifact regions of their newest frames.

    Returns:
        ``artifacts/recall``, the share of frames with an artifact in whose reconstruction the
        detector finds one with a pixel inside the input's region, and ``artifacts/ghost_rate``,
        the share of frames without any in whose reconstruction it finds one all the same. Either
        is absent if there is no such frame.
    """
    has_artifact = regions.flatten(1).any(dim=1) != 0  # of bytes, any() is a byte
    metrics: dict[str, float] = {}
    for tag, chosen in (
        ("artifacts/recall", has_artifact),
        ("artifacts/ghost_rate", ~has_artifact),
    ):
        if not chosen.any():
            continue
        reconstruction = autoencoder.reconstruct(obs[chosen]).cpu().numpy()
        found = torch.from_numpy(finder.pixels(reconstruction)) != 0
        if tag == "artifacts/recall":
            found &= regions[chosen].cpu() != 0
        metrics[tag] = found.flatten(1).any(dim=1).float().mean().item()
    return metrics
