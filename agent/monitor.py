"""TensorBoard: scalars of every update, and pictures of what the encoder loses."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter

from agent.actor_critic import ActorCritic
from agent.pictures import COLUMNS, labelled_grid, sample_row
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, pixel_weights


class Sample(NamedTuple):
    """An observation and its artifact regions, (C, H, W) uint8 each."""

    obs: Tensor
    regions: Tensor


class Monitor:
    """Writes one run's event files. The horizontal axis is agent steps everywhere."""

    ROWS = 4
    """Samples in an image grid."""

    def __init__(self, log_dir: Path, steps: int, warn: Callable[[str], object]) -> None:
        """Open a new event file; what an earlier one holds beyond ``steps`` is hidden.

        If it cannot be written any more, ``warn`` is told once and nothing more is written: a full
        disk does not end a training.
        """
        self._warn = warn
        self._writer: SummaryWriter | None = None
        try:
            self._writer = SummaryWriter(log_dir, purge_step=steps + 1)
        except OSError as error:
            self._end(error)
        self._remembered: Sample | None = None

    def scalars(self, metrics: Mapping[str, float], steps: int) -> None:
        """Write every metric under its tag."""
        self._write(lambda writer: [writer.add_scalar(*row, steps) for row in metrics.items()])

    def remember(self, rollout: Rollout) -> None:
        """Keep one observation with an artifact in its newest frame, if the rollout has one."""
        found = rollout.has_artifact.flatten().nonzero().flatten().cpu()
        if len(found):
            self._remembered = self._sample(rollout, found[len(found) // 2])

    def reconstructions(
        self, model: ActorCritic, rollout: Rollout, weights: ArtifactWeightsConfig, steps: int
    ) -> NDArray[np.uint8]:
        """Write a grid of real samples as ``reconstruction/samples`` and return it.

        Up to half of the rows are frames with an artifact. If the rollout has none, the last one
        seen stands in.
        """
        found = rollout.has_artifact.flatten().nonzero().flatten().cpu()
        chosen = found[torch.linspace(0, len(found) - 1, min(self.ROWS // 2, len(found))).long()]
        samples = [self._sample(rollout, index) for index in chosen]
        if not samples and self._remembered:
            samples = [self._remembered]
        # The rest of the rows: one game each, from the middle of the rollout.
        others = torch.linspace(0, rollout.num_envs - 1, self.ROWS - len(samples)).long()
        others = (others + rollout.size // 2).clamp(max=rollout.size - 1)
        samples += [self._sample(rollout, index) for index in others]
        image = draw_samples(model, samples, weights)
        planes = image.transpose(2, 0, 1)
        self._write(lambda writer: writer.add_image("reconstruction/samples", planes, steps))
        return image

    def close(self) -> None:
        """Flush and close the event file."""
        self._write(SummaryWriter.close)

    def _write(self, write: Callable[[SummaryWriter], object]) -> None:
        if self._writer:
            try:
                write(self._writer)
            except OSError as error:
                self._end(error)

    def _end(self, error: OSError) -> None:
        self._writer = None
        self._warn(f"warning: TensorBoard's events end here: {error.strerror}")

    @staticmethod
    def _sample(rollout: Rollout, index: Tensor) -> Sample:
        index = index.reshape(1).to(rollout.frames.device)
        return Sample(rollout.observations(index)[0], rollout.observation_regions(index)[0])


def draw_samples(
    model: ActorCritic, samples: list[Sample], config: ArtifactWeightsConfig
) -> NDArray[np.uint8]:
    """The newest frame of each sample as a row of the image grid, RGB uint8."""
    obs = torch.stack([sample.obs for sample in samples])
    regions = torch.stack([sample.regions for sample in samples])
    weights = pixel_weights(regions, config) / config.artifact
    views = [obs, model.reconstruct(obs), regions, weights]
    return labelled_grid(
        COLUMNS,
        [sample_row(*row) for row in zip(*(v[:, -1].cpu().numpy() for v in views), strict=True)],
    )
