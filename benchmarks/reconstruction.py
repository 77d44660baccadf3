"""Which remedy keeps the knives? Trains the same autoencoder with each, and judges what it draws.

Training sees only the regions that the detector finds. The judge knows from the game's RAM where
the knives are. Every remedy has the same frames, seeds, number of samples, network and optimizer.

Example:
    python -m benchmarks.reconstruction --json benchmarks/results/reconstruction.json
"""

import json
import multiprocessing
import os
import sys
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import cv2
import imageio.v2 as imageio
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from benchmarks.body_fidelity import body_fidelity
from benchmarks.data import DataConfig, Source, Split, inventory, load
from benchmarks.knife_fidelity import are_kept, fidelity, recall_by_slot
from benchmarks.probes import probes
from benchmarks.provenance import provenance
from benchmarks.remedies import REMEDIES, Remedy
from benchmarks.remedy_training import (
    BATCH,
    draw_frames,
    draw_newest,
    encode,
    train_autoencoder,
)
from benchmarks.scene import Scene, scene
from encoders import ArtifactDetectorConfig, make_finder
from encoders.latents import latent_metrics
from envs import EnvConfig, Projection, calibrate
from experiment.allocator import keep_freed_memory
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from monitoring.console import make_console, print_table
from monitoring.pictures import outlined, side_by_side, titled
from settings import Seed, Within

SOURCES: tuple[Source, ...] = ("random", "agent")
FINDER = make_finder(ArtifactDetectorConfig())
PROBED = 4
"""The probes are fitted to every fourth training observation."""
PICTURED = 6
"""Test frames in the picture, half of them with a knife."""


@dataclass(frozen=True)
class ReconstructionBenchmarkConfig(DataConfig):
    """Train the autoencoder with every remedy and judge what it keeps."""

    json: Path = Path("reconstruction.json")
    """File for the result; the picture goes beside it, ending in .png."""
    samples: Annotated[int, Within(BATCH, 10**9)] = 128_000
    """Observations that each autoencoder is trained on."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds of each remedy."""
    remedies: tuple[str, ...] = tuple(REMEDIES)
    """Remedies to train."""
    judged: Literal["validation", "test"] = "test"
    """Episodes that judge: choices are made on validation episodes, figures are those of test
    episodes."""

    @property
    def splits(self) -> tuple[Split, Split]:
        """What trains and what judges."""
        return "train", self.judged

    @property
    def choices(self) -> Mapping[str, Remedy]:
        """The remedies that there are."""
        return REMEDIES

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if not self.remedies or not set(self.remedies) <= self.choices.keys():
            allowed = ", ".join(self.choices)
            raise ValueError(f"remedies must be some of {allowed}, got {self.remedies}")


class Outcome(NamedTuple):
    """The result of one remedy with one seed."""

    figures: dict[str, float | None]
    pictures: NDArray[np.uint8]  # (PICTURED, H, W)


def main() -> None:
    """Compare the remedies."""
    compare("reconstruction", tyro.cli(ReconstructionBenchmarkConfig))


def compare(name: str, config: ReconstructionBenchmarkConfig) -> None:
    """Run what has not been run at this commit, write JSON and picture, print the table.

    Args:
        name: Module of the study.
        config: Which remedies, how long, and where the files are.
    """
    check_output(config.json)
    made_by, begun = provenance(name), time.monotonic()
    projection = calibrate(EnvConfig(), seed=0)
    test = scene(load(config, config.judged, SOURCES), projection, FINDER)
    load(config, "train", SOURCES)  # made here, once, if it is missing
    jobs = [(remedy, seed) for seed in config.seeds for remedy in config.remedies]
    workers = min(len(os.sched_getaffinity(0)), len(jobs))
    spawn = multiprocessing.get_context("spawn")
    work = partial(train_and_judge, config, made_by["commit"])
    console, outcomes = make_console(), dict[tuple[str, int], Outcome]()
    with ProcessPoolExecutor(workers, spawn, _begin, (config, projection)) as pool:
        for job, outcome in zip(jobs, pool.map(work, jobs), strict=True):
            outcomes[job] = outcome
            recall = outcome.figures["knife_recall"]
            console.print(f"{job[0]}, seed {job[1]}: knife recall {recall:.3f}")
    result = {
        **made_by,
        "samples": config.samples,
        "judged": config.judged,
        "seeds": list(config.seeds),
        "remedies": {
            remedy: summary([outcomes[remedy, seed].figures for seed in config.seeds])
            for remedy in config.remedies
        },
        "seconds": time.monotonic() - begun,
        "data": {split: inventory(load(config, split, SOURCES)) for split in config.splits},
    }
    write_json(config.json, result)
    pictures = {remedy: outcomes[remedy, config.seeds[0]].pictures for remedy in config.remedies}
    draw(config.json.with_suffix(".png"), test, pictures)
    show(result)


_scenes: dict[Split, Scene] = {}


def _begin(config: ReconstructionBenchmarkConfig, projection: Projection) -> None:
    """Set up one of the processes; there is one for each core, so it has one thread."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    for split in config.splits:
        _scenes[split] = scene(load(config, split, SOURCES), projection, FINDER)


def train_and_judge(
    config: ReconstructionBenchmarkConfig, commit: str, job: tuple[str, int]
) -> Outcome:
    """Train and judge one remedy with one seed, unless this commit did so with this data before."""
    remedy, seed = job
    data = "-".join(f"{zlib.crc32(part.frames.data):08x}" for part in _scenes.values())
    name = f"{remedy}-{seed}-{config.samples}-{data}-{commit}.npz"
    path = config.data / "reconstruction" / name
    if path.exists() and not commit.endswith("-dirty"):
        with np.load(path) as stored:
            return Outcome(json.loads(str(stored["figures"])), stored["pictures"])
    train, test = _scenes["train"], _scenes[config.judged]
    begun = time.monotonic()
    model, std, clipped = train_autoencoder(train, config.choices[remedy], seed, config.samples)
    seconds = time.monotonic() - begun
    probed = train.thinned(PROBED)
    train_latents, latents = encode(model, probed), encode(model, test)
    drawn = draw_newest(model, latents)
    of_knives = draw_newest(model, train_latents[[knife.step for knife in probed.knives]])
    figures = (
        fidelity(test, drawn, std, FINDER)
        | recall_by_slot(test, lambda rows: draw_frames(model, latents[rows]))
        | body_fidelity(test, drawn)
        | latent_metrics(latents[:, : model.config.encoder.latent_dim])
        | probes(probed, train_latents.numpy(), test, latents.numpy())
        | {
            "train_knife_recall": float(are_kept(probed.knives, of_knives).mean()),
            "clipped_share": clipped,
            "free_parameters": (parameters := sum(one.numel() for one in model.parameters())),
            "samples_per_parameter": len(train.frames) / parameters,
            "training_seconds": seconds,
        }
    )
    pictures = drawn[pictured(test)].round().clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, figures=json.dumps(figures), pictures=pictures)
    temporary.replace(path)
    return Outcome(figures, pictures)


def pictured(test: Scene) -> list[int]:
    """Steps for the picture: half are spread over those with a knife, half over those without."""
    knives = np.array([knife.step for knife in test.knives])
    busy = (test.frames != test.frames[0]).sum(axis=(1, 2)) > 500  # somebody is there
    others = np.setdiff1d(np.flatnonzero(busy & ~test.regions.any(axis=(1, 2))), knives)
    half = PICTURED // 2
    return [
        int(rows[len(rows) * (2 * n + 1) // (2 * half)])
        for rows in (knives, others)
        for n in range(half)
    ]


def summary(runs: list[dict[str, float | None]]) -> dict[str, Any]:
    """Mean, sample standard deviation ("spread") and values over seeds of each figure.

    A seed may lack a figure: what was never found has no position. Its value is None then, and
    mean and spread are those of the other seeds. A single value has no spread.
    """
    result: dict[str, Any] = {}
    for name in runs[0]:
        values = [figures[name] for figures in runs]
        present = [value for value in values if value is not None]
        result[name] = {
            "mean": float(np.mean(present)) if present else None,
            "spread": float(np.std(present, ddof=1)) if len(present) > 1 else None,
            "values": values,
        }
    return result


SHOWN = {
    "knife_recall": "knife recall",
    "knife_recall_appeared": "just appeared",
    "knife_recall_frame_1": "in the oldest frame",
    "train_knife_recall": "training episodes",
    "knife_recall_every_pixel": "every pixel",
    "ghost_rate": "ghost rate",
    "ghosts_after_knife": "ghosts after a knife",
    "smear_rate": "smear rate",
    "position_error_px": "position, px",
    "explained_variance": "explained",
    "background_mse": "background",
    "knife_mse": "knife MSE",
    "player_psnr_db": "player, dB",
    "enemies_psnr_db": "enemies, dB",
    "probe_r2_x": "probe R2 of x",
    "probe_mlp_r2_x": "the same, MLP",
    "probe_presence_auc": "probe AUC",
    "latent/effective_rank": "effective rank",
    "latent/dead_units": "dead units",
    "latent/saturated": "saturated",
    "samples_per_parameter": "frames a parameter",
    "clipped_share": "clipped steps",
}
"""Figures in the table, and what they are called there."""


def show(result: dict[str, Any]) -> None:
    """Print mean and spread of every figure of every remedy."""
    title = f"{result['samples']:,} samples, mean and spread over seeds {result['seeds']}"
    remedies = result["remedies"]
    table = Table("", *remedies, title=title, box=SIMPLE, padding=(0, 1, 0, 0))
    for figure, name in SHOWN.items():
        cells = [figures[figure] for figures in remedies.values()]
        table.add_row(name, *(_cell(cell["mean"], cell["spread"]) for cell in cells))
    if "uniform" in remedies:
        base = remedies["uniform"]["background_mse"]["mean"]
        ratios = [figures["background_mse"]["mean"] / base for figures in remedies.values()]
        table.add_row("against uniform", *(f"{ratio:.3f}" for ratio in ratios))
    print_table(table)


def _cell(mean: float | None, spread: float | None) -> str:
    lines = ["-" if mean is None else f"{mean:.3f}", "" if spread is None else f"±{spread:.3f}"]
    return "\n".join(lines)


def draw(path: Path, test: Scene, pictures: dict[str, NDArray[np.uint8]]) -> None:
    """Draw the same test frames as input and through each remedy; outline the input's artifacts."""
    steps = pictured(test)
    views = {"input": test.frames[steps], **pictures}
    columns = [
        titled(name, np.vstack([outlined(frames[n], test.regions[t]) for n, t in enumerate(steps)]))
        for name, frames in views.items()
    ]
    imageio.imwrite(path, side_by_side(columns))


if __name__ == "__main__":
    sys.exit(exit_code(main))
