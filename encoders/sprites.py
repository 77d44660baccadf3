"""Draws small artifacts at their places."""

import torch
from torch import Tensor, nn

from encoders.locator import Artifacts
from encoders.tracks import Points

BRIGHT = 8.0
"""Normalised units in a unit of brightness, which is so large that it is learned quickly."""
JUDGED = 4
"""One shape is learned from a few artifacts at a time, and every one of them costs as much time."""


class Sprites(nn.Module):
    """Points to images, in which every artifact has the same shape.

    It is a box with soft edges, whose height, width, softness and brightness are learned. Places
    are rounded to half a pixel, because what has a whole number of pixels is nowhere else.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Build for frames (H, W)."""
        super().__init__()
        self.size = size
        self.log_extent = nn.Parameter(torch.tensor([3.0, 3.0]).log())  # height, width
        self.log_softness = nn.Parameter(torch.tensor([0.5, 0.5]).log())
        self.brightness = nn.Parameter(torch.tensor(0.5))  # times BRIGHT

    def forward(self, points: Points) -> Tensor:
        """(..., K) to images (..., H, W) float32 in normalised units, 0 beside the artifacts."""
        profiles: list[Tensor] = []
        for axis, length in enumerate(self.size):
            place = (2 * points.places[..., axis, None]).round() / 2
            away = (torch.arange(length, device=place.device) - place).abs()
            half = self.log_extent[axis].exp() / 2
            profiles.append(((half - away) / self.log_softness[axis].exp()).sigmoid())
        columns, rows = profiles
        brightness = BRIGHT * self.brightness * points.present[..., None]
        return (brightness * columns).mT @ rows

    def loss(self, frames: Tensor, regions: Tensor, artifacts: Artifacts) -> Tensor:
        """Mean squared error in the artifacts' own regions, of ``JUDGED`` artifacts at most.

        Args:
            frames: (F, H, W) in normalised units.
            regions: (F, H, W) uint8, labels.
            artifacts: What is in the frames.

        Returns:
            A scalar; 0 if there is no artifact.
        """
        frame, label, place = (part[:JUDGED] for part in artifacts)
        inside = regions[frame] == label[:, None, None]
        drawn = self(Points(place[:, None], torch.ones_like(label[:, None], dtype=torch.bool)))
        error = (drawn - frames[frame].float()).square() * inside
        return error.sum() / inside.sum().clamp(min=1)
