"""TensorBoard: curves, and pictures of what the encoder loses."""

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import summary

from agent.actor_critic import ActorCritic
from agent.rollout import Rollout, spread
from agent.threads import StalledError
from encoders import ArtifactWeightsConfig
from encoders.latents import latent_metrics
from monitoring.event_file import EventFile
from monitoring.film import gif
from monitoring.layout import custom_scalars
from monitoring.pictures import GREY, YELLOW, Picture, sample_column, side_by_side, square
from monitoring.projector import Embedding, write_embedding
from monitoring.summaries import animation, hyperparameters


class Sample(NamedTuple):
    """An observation and its artifact regions, (C, H, W) uint8 each."""

    obs: Tensor
    regions: Tensor


class Monitor:
    """Writes one run's event files. The horizontal axis is agent steps everywhere."""

    COLUMNS = 2
    """Samples in an image grid."""
    LATENTS = 512
    """Observations in the histograms of latent and policy."""
    POINTS = 256
    """Observations in the projector at most, half of them with an artifact if there are as many."""

    def __init__(self, log_dir: Path, steps: int, warn: Callable[[str], object]) -> None:
        """Open a new event file; what an earlier one holds beyond ``steps`` is hidden.

        If it cannot be written any more, ``warn`` is told once and nothing more is written: neither
        a full disk nor a deleted directory ends a training.
        """
        self._log_dir, self._warn = log_dir, warn
        self._file: EventFile | None = None
        try:
            self._file = EventFile(log_dir, steps)
        except OSError as error:
            self._end(error)
        self._remembered: Sample | None = None

    def begin(self, config: Mapping[str, Any], names: Set[str], resume: str, steps: int) -> None:
        """Write what the run is: layout of the charts, hyperparameters, config as text.

        Args:
            config: Every field by its dotted name.
            names: Names of the hyperparameters among them.
            resume: The command that goes on with the run.
            steps: Agent steps so far.
        """
        lines = ["To go on:", "", f"    {resume}", "", "|field|value|", "|---|---|"]
        lines += [f"|{name}|{value}|" for name, value in config.items()]
        described = hyperparameters({name: config[name] for name in config if name in names})
        self._session_end = described.end

        def write(file: EventFile) -> None:
            file.add(summary.custom_scalars(custom_scalars()))
            text = "\n".join(lines).encode(errors="backslashreplace").decode()
            file.add(summary.text("run", text), steps)
            file.add(described.start, steps)

        self._write(write)

    def scalars(self, metrics: Mapping[str, float], steps: int) -> None:
        """Write every metric under its tag."""
        self._write(lambda file: [file.add(summary.scalar(*row), steps) for row in metrics.items()])

    def remember(self, rollout: Rollout) -> None:
        """Keep one observation with an artifact in its newest frame, if the rollout has one."""
        found = rollout.has_artifact.flatten().nonzero().flatten().cpu()
        if len(found):
            self._remembered = self._sample(rollout, found[len(found) // 2])

    def reconstructions(
        self, model: ActorCritic, rollout: Rollout, weights: ArtifactWeightsConfig, steps: int
    ) -> dict[str, Picture]:
        """Write grids of real samples and return them by tag.

        ``reconstruction/with_artifact`` holds frames of the rollout with an artifact, or the last
        one seen; it is left out if none was seen yet. ``reconstruction/without_artifact`` holds
        frames without any.
        """
        with_artifact = rollout.spread(self.COLUMNS, artifact=True)
        without = rollout.spread(self.COLUMNS, artifact=False)
        samples = {
            "reconstruction/with_artifact": [self._sample(rollout, i) for i in with_artifact],
            "reconstruction/without_artifact": [self._sample(rollout, i) for i in without],
        }
        if not len(with_artifact) and self._remembered:
            samples["reconstruction/with_artifact"] = [self._remembered]
        images = {
            tag: draw_samples(model, chosen, weights) for tag, chosen in samples.items() if chosen
        }

        def write(file: EventFile) -> None:
            for tag, image in images.items():
                file.add(summary.image(tag, image, dataformats="HWC"), steps)

        self._write(write)
        return images

    @torch.no_grad()
    def latents(self, model: ActorCritic, rollout: Rollout, steps: int) -> None:
        """Write how a sample of the rollout uses the tanh units, and how sure the policy is."""
        indices = spread(torch.arange(rollout.size, device=rollout.frames.device), self.LATENTS)
        policy, _, latent = model(
            rollout.observations(indices),
            rollout.observation_gauges(indices),
            rollout.observation_tracks(indices),  # to find them again would take much memory
        )
        units, _ = model.autoencoder.split(latent)
        histograms = {
            "latent/activations": units,
            "latent/deviation_of_units": units.std(dim=0),
            "policy/probabilities": policy.probs,
            "policy/highest_probability": policy.probs.amax(dim=1),
        }

        def write(file: EventFile) -> None:
            for row in latent_metrics(units).items():
                file.add(summary.scalar(*row), steps)
            for tag, values in histograms.items():
                file.add(summary.histogram(tag, values.float().cpu(), bins=50), steps)

        self._write(write)

    @torch.no_grad()
    def embedding(self, model: ActorCritic, rollout: Rollout, steps: int) -> None:
        """Write a sample of the rollout for the projector, in place of the one before."""
        with_artifact = rollout.spread(self.POINTS // 2, artifact=True)
        without = rollout.spread(self.POINTS - len(with_artifact), artifact=False)
        indices = torch.cat([with_artifact, without])
        obs = rollout.observations(indices)
        policy, value, latent = model(
            obs, rollout.observation_gauges(indices), rollout.observation_tracks(indices)
        )
        labels = {
            "artifact": ["yes"] * len(with_artifact) + ["no"] * len(without),
            "value": [f"{number:.3f}" for number in value.tolist()],
            "likeliest action": [str(action) for action in policy.probs.argmax(dim=1).tolist()],
        }
        frames = obs[:, -1].cpu().numpy()
        colours = [YELLOW] * len(with_artifact) + [GREY] * len(without)
        thumbnails = np.stack([square(*pair) for pair in zip(frames, colours, strict=True)])
        embedding = Embedding(latent.cpu().numpy(), thumbnails, labels)
        name = f"latent after {steps:,} steps"
        self._write(lambda _: write_embedding(self._log_dir, name, embedding))

    def film(self, pictures: Sequence[Picture], pictures_per_second: float, steps: int) -> None:
        """Write a film as ``game/film``."""
        moving = animation("game/film", gif(pictures, pictures_per_second), pictures[0].shape[:2])
        self._write(lambda file: file.add(moving, steps))

    def end(self, final: Mapping[str, float], steps: int) -> None:
        """Write what came out, and that the training is complete.

        The HParams page compares runs by it: it shows a run's first five metrics in the order of
        their tags, where capital letters come first.
        """
        self.scalars({f"Final/{name}": value for name, value in final.items()}, steps)
        self._write(lambda file: file.add(self._session_end, steps))

    @contextmanager
    def drawing(self, what: str) -> Generator[None]:
        """While the context lasts, an error is only a warning: a picture is not worth a run.

        Raises:
            StalledError: If a game hangs, because the next film would hang again.
        """
        try:
            yield
        except StalledError:
            raise
        except Exception as error:
            self._warn(f"warning: {what} cannot be drawn: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the event file."""
        if self._file:
            with suppress(OSError):  # everything was flushed when it was written
                self._file.close()

    def _write(self, write: Callable[[EventFile], object]) -> None:
        if self._file:
            try:
                write(self._file)
                self._file.flush()
            except OSError as error:
                self._end(error)

    def _end(self, error: OSError) -> None:
        self.close()
        self._file = None
        self._warn(f"warning: TensorBoard's events end here: {error.strerror or error}")

    @staticmethod
    def _sample(rollout: Rollout, index: Tensor) -> Sample:
        index = index.reshape(1).to(rollout.frames.device)
        return Sample(rollout.observations(index)[0], rollout.observation_regions(index)[0])


def draw_samples(
    model: ActorCritic, samples: Sequence[Sample], config: ArtifactWeightsConfig
) -> Picture:
    """The newest frame of each sample as a column of the image grid, RGB uint8."""
    obs = torch.stack([sample.obs for sample in samples])
    regions = torch.stack([sample.regions for sample in samples])
    drawn = model.autoencoder.reconstruct(obs)
    weights = model.autoencoder.newest_weights(obs, regions[:, -1], config)
    newest = [obs[:, -1], drawn[:, -1], regions[:, -1], weights]
    columns = zip(*(view.cpu().numpy() for view in newest), strict=True)
    return side_by_side([sample_column(*column) for column in columns])
