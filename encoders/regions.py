"""From an artifact's pixels to the region around it that counts in the loss."""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoders.artifacts import ArtifactDetector, ArtifactDetectorConfig, Detector
from encoders.foreground import ForegroundDetector, Scene

MOST = 254
"""Highest label of a region."""


class RegionFinder:
    """Grows what a detector finds into regions."""

    def __init__(self, detector: Detector, margin: int) -> None:
        """Take a detector, and by how many pixels its artifacts are grown on every side."""
        self.detector = detector
        self._grown = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)

    @property
    def name(self) -> str:
        """Name of the detector's class."""
        return type(self.detector).__name__

    def __call__(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The artifact regions of the newest frames of observations.

        Args:
            obs: (N, C, H, W) uint8, oldest frame first.

        Returns:
            (N, H, W) uint8: 0 outside of the regions; in each region another number from 1 to
            ``MOST``, which all others share if there are more.
        """
        regions = self.pixels(obs)
        for frame in np.flatnonzero(regions.any(axis=(1, 2))):
            grown = cv2.dilate(regions[frame], self._grown)
            regions[frame] = np.minimum(cv2.connectedComponents(grown)[1], MOST)
        return regions

    def pixels(self, obs: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same without the margin, whatever number the detector marks artifacts with.

        Raises:
            ValueError: If the detector returns anything but (N, H, W) uint8; names it.
        """
        found = self.detector(obs)
        wanted = (len(obs), *obs.shape[2:])
        if not isinstance(found, np.ndarray) or (found.shape, found.dtype) != (wanted, np.uint8):  # pyright: ignore[reportUnnecessaryIsInstance]
            got = f"{getattr(found, 'shape', type(found).__name__)} {getattr(found, 'dtype', '')}"
            raise ValueError(f"{self.name} must return {wanted} uint8, got {got.strip()}")
        return (found != 0).astype(np.uint8)


def make_finder(config: ArtifactDetectorConfig, scene: Scene | None = None) -> RegionFinder:
    """What every command looks for artifacts with; another detector has its place here.

    Args:
        config: What counts as small.
        scene: What is behind things, if brightness alone does not tell.
    """
    if scene and scene.backdrop:
        return RegionFinder(ForegroundDetector(config, scene), config.margin)
    return RegionFinder(ArtifactDetector(config), config.margin)
