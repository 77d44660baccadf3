"""Finds the places of small artifacts in single frames; learns from the detector's regions."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.tracks import Points, distances
from settings import Checked, Within

CELL = 8
"""Height and width in pixels of the cells of a frame. A cell has one artifact at most."""
NEAR = 6.0
"""Pixels. Of places that are closer, the most certain one stays."""
THRESHOLD = 0.3
"""Probability from which on there is an artifact. It is less than a half, because of an artifact
between two cells either may get a half."""
PLACE_COEF, PLACE_BETA = 5.0, 0.05
"""Of the loss: factor of the distance, and the distance in cells from which on it is linear."""


@dataclass(frozen=True)
class LocatorConfig(Checked):
    """What looks for the places of small artifacts."""

    count: Annotated[int, Within(0, 4)] = 3
    """Artifacts that have units of their own, five for each, beside those of the tanh layer. Any
    others are left to the weights of the loss, and with 0 all are."""
    channels: Annotated[tuple[int, int], Within(1, 256)] = (8, 16)
    """Output channels of its two convolutions."""


class Locator(nn.Module):
    """Frames (F, H, W) in normalised units to an artifact's logit and place in every cell.

    As in CenterNet (Zhou et al. 2019, "Objects as points"), an artifact belongs to the cell that
    holds its centre, and its place in there is read from the pixels, to a fraction of a pixel.
    """

    def __init__(self, config: LocatorConfig) -> None:
        """Start out in the belief that artifacts are rare."""
        super().__init__()
        self.count = config.count
        first, second = config.channels
        last = nn.Conv2d(second, 3, 1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.ReLU(),
            last,
        )
        assert last.bias is not None
        nn.init.constant_(last.bias[:1], -5.0)

    def forward(self, frames: Tensor) -> Tensor:
        """(F, H, W) to (F, 3, H / 8, W / 8): logit, row and column from the middle of the cell.

        Rows and columns are in cells.
        """
        return self.layers(frames[:, None])

    @torch.no_grad()
    def points(self, found: Tensor) -> Points:
        """The most certain artifacts of every frame.

        Args:
            found: (F, 3, h, w), the output.

        Returns:
            (F, K), the most certain first.
        """
        width = found.shape[3]
        cells = found.flatten(2)
        candidates = 2 * self.count
        # Small frames have fewer cells than that; the others are empty.
        cells = functional.pad(cells, (0, max(0, candidates - cells.shape[2])), value=-1e4)
        logits, cell = cells[:, 0].topk(candidates, dim=1)
        inside = cells[:, 1:].gather(2, cell[:, None].expand(-1, 2, -1)).mT
        middle = torch.stack([cell // width, cell % width], dim=2) + 0.5
        places = (middle + inside) * CELL - 0.5
        present = logits.sigmoid() > THRESHOLD
        better = torch.ones(candidates, candidates, dtype=torch.bool, device=cell.device).tril(-1)
        gap = distances(places, places)
        present &= ~((gap < NEAR) & better & present[:, None]).any(dim=2)
        rank = torch.arange(candidates, device=cell.device) + candidates * ~present
        order = rank.topk(self.count, dim=1, largest=False).indices
        return Points(
            places.gather(1, order[:, :, None].expand(-1, -1, 2)), present.gather(1, order)
        )


class Artifacts(NamedTuple):
    """A artifacts in F frames."""

    frame: Tensor
    """(A,) int64, in which of the frames each is."""
    label: Tensor
    """(A,) of its region."""
    place: Tensor
    """(A, 2) float32, row and column of the middle of its region."""


def artifacts_of(regions: Tensor) -> Artifacts:
    """The artifacts of F frames.

    Args:
        regions: (F, H, W) uint8, a label in the region of each artifact, 0 elsewhere.
    """
    frame, row, column = regions.nonzero(as_tuple=True)
    place = torch.stack([row, column], dim=1).float()
    # Sums over the pixels of each region, for all labels that any frame could have.
    key = frame * 256 + regions[frame, row, column]
    size = 256 * len(regions)
    pixels = torch.bincount(key, minlength=size)
    total = place.new_zeros(size, 2).index_add_(0, key, place)
    which = pixels.nonzero()[:, 0]
    return Artifacts(which // 256, which % 256, total[which] / pixels[which, None])


def location_loss(found: Tensor, artifacts: Artifacts) -> Tensor:
    """How wrong a locator is about F frames.

    Cross-entropy of whether an artifact's centre is in a cell, and, where it is, ``PLACE_COEF``
    times a smooth L1 distance between the places, in cells, which is linear from ``PLACE_BETA`` on.

    Args:
        found: (F, 3, h, w), the output of a locator.
        artifacts: What is in the frames.

    Returns:
        A scalar, the mean over frames of the sum over cells.
    """
    _, _, height, width = found.shape
    place = (artifacts.place + 0.5) / CELL
    row, column = place.long().unbind(dim=1)
    row, column = row.clamp(max=height - 1), column.clamp(max=width - 1)
    present = torch.zeros_like(found[:, 0])
    present[artifacts.frame, row, column] = 1.0
    inside = place - torch.stack([row, column], dim=1) - 0.5
    distance = functional.smooth_l1_loss(
        found[artifacts.frame, 1:, row, column], inside, reduction="sum", beta=PLACE_BETA
    )
    doubt = functional.binary_cross_entropy_with_logits(found[:, 0], present, reduction="sum")
    return (doubt + PLACE_COEF * distance) / len(found)
