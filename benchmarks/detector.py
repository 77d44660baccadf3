"""Judge projection and detector against the game's RAM.

Example:
    python -m benchmarks.detector --json benchmarks/results/detector.json
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.command import check_output, provenance, run
from benchmarks.data import (
    DataConfig,
    Recording,
    Source,
    inventory,
    load,
    visible_projectiles,
)
from benchmarks.judge import detect
from encoders import ArtifactDetector, ArtifactDetectorConfig
from envs import Projection
from envs import ground_truth as truth
from envs.projection import BACKGROUND, fit_projection

SOURCES: tuple[Source, ...] = ("random", "agent", "tour")
THRESHOLDS = (64, 96, 132, 160, 192, 224, 252)
SURROUNDS = (1, 2, 4, 6, 8, 12)


@dataclass(frozen=True)
class DetectorBenchmarkConfig(DataConfig):
    """Judge projection and detector on labelled test frames."""

    json: Path = Path("detector.json")
    """File for the result."""


def main() -> None:
    """Run the benchmark, print its tables, write its JSON."""
    config = tyro.cli(DetectorBenchmarkConfig)
    check_output(config.json)
    cv2.setNumThreads(1)
    settings = ArtifactDetectorConfig(margin=0)
    training = {source: load(config, "train", (source,)) for source in SOURCES}
    projection = projection_of(training["random"])
    test = {source: load(config, "test", (source,)) for source in SOURCES}
    sources = {
        source: judge(part, projection, ArtifactDetector(settings)) for source, part in test.items()
    }
    whole = load(config, "test", SOURCES)
    result = {
        **provenance("detector"),
        **judge(whole, projection, ArtifactDetector(settings)),
        "microseconds_per_frame": cost(whole.project(projection)),
        "sources": sources,
        "settings": vars(ArtifactDetectorConfig()),
        "projection": contrasts(whole, projection),
        "sweep": sweep(load(config, "train", SOURCES), projection, settings),
        "data": {source: inventory(part) for source, part in test.items()},
    }
    show(result)
    config.json.write_text(json.dumps(result, indent=1) + "\n")


def projection_of(random_play: Recording) -> Projection:
    """The projection as ``train.py`` would find it: from random play, every fourth frame."""
    return fit_projection(random_play.palette[random_play.frames[::4]])


def judge(
    recording: Recording, projection: Projection, detector: ArtifactDetector
) -> dict[str, Any]:
    """Precision and recall of a detector without margin.

    A visible object is recalled if one of its own pixels is detected. A detected part is right if
    it touches the projectile that is on screen, whatever its kind.

    Returns:
        ``frames``, ``knives``, ``precision`` (of all parts), ``recall`` and ``f1`` (of knives),
        ``touching`` (knives that touch something, and their recall) and ``kinds`` (the same for
        each kind; precision there is that of the parts found while such a projectile is in view).
    """
    frames = recording.project(projection)
    found = detect(detector, frames)
    visible = visible_projectiles(recording)
    objects, recalled = Counter[str](), Counter[str]()
    parts, right = Counter[str](), Counter[str]()
    total = touching = touching_recalled = 0
    at = {t: (box, own) for t, box, own in visible}
    for t in np.flatnonzero(found.any(axis=(1, 2))):
        labels = numbered_parts(found[t])
        total += int(labels.max())
        if int(t) in at:
            box, own = at[int(t)]
            parts[box.kind] += int(labels.max())
            right[box.kind] += len(np.unique(labels[grown(own) & (labels != 0)]))
    for t, box, own in visible:
        hit = bool(found[t][own].any())
        objects[box.kind] += 1
        recalled[box.kind] += hit
        if box.kind == truth.Kind.KNIFE and (frames[t][grown(own) & ~own] != BACKGROUND).any():
            touching += 1
            touching_recalled += hit
    kinds = {
        str(kind): scores(right[kind], parts[kind], recalled[kind], objects[kind])
        | {"objects": objects[kind]}
        for kind in objects
    }
    knife = truth.Kind.KNIFE
    return {
        "frames": len(frames),
        "knives": objects[knife],
        **scores(right.total(), total, recalled[knife], objects[knife]),
        "touching": {"knives": touching, "recall": share(touching_recalled, touching)},
        "kinds": kinds,
    }


def numbered_parts(mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The connected parts of (H, W), numbered from 1."""
    return np.asarray(cv2.connectedComponentsWithStats(mask, connectivity=8)[1], np.int32)


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and the pixels beside it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))) != 0


def share(part: int, whole: int) -> float:
    """``part / whole``, NaN of nothing."""
    return part / whole if whole else float("nan")


def scores(right: int, parts: int, recalled: int, objects: int) -> dict[str, float]:
    """Precision, recall and their harmonic mean."""
    precision, recall = share(right, parts), share(recalled, objects)
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def cost(frames: NDArray[np.uint8]) -> float:
    """Microseconds per frame on one core: median over batches of 32, as training has them."""
    detector = ArtifactDetector(ArtifactDetectorConfig())
    times: list[float] = []
    for start in range(0, len(frames) - 31, 32):
        batch = np.ascontiguousarray(frames[start : start + 32])
        begun = time.perf_counter()
        detector(batch)
        times.append((time.perf_counter() - begun) / 32)
    return float(np.median(times) * 1e6)


def contrasts(recording: Recording, projection: Projection) -> dict[str, Any]:
    """Distance of every foreground colour of every floor from the background, in grey levels."""
    levels = projection(recording.palette[None, :, None])[0, :, 0].astype(int)
    colours = [(int(rgb[0]), int(rgb[1]), int(rgb[2])) for rgb in recording.palette]
    floors: dict[str, Any] = {}
    for floor in np.unique(recording.ram[:, truth.FLOOR]):
        seen = np.unique(recording.frames[recording.ram[:, truth.FLOOR] == floor])
        contrast = {
            str(colours[index]): abs(int(levels[index]) - BACKGROUND)
            for index in map(int, seen)
            if colours[index] not in projection.background
        }
        floors[str(floor)] = {"colours": len(contrast), "smallest": min(contrast.values())}
    return {
        "background": projection.background,
        "artifacts": projection.artifacts,
        "knife": abs(int(levels[colours.index(truth.KNIFE_COLOUR)]) - BACKGROUND),
        "floors": floors,
    }


def sweep(
    recording: Recording, projection: Projection, settings: ArtifactDetectorConfig
) -> list[dict[str, float]]:
    """F1 on the training frames over threshold and surround."""
    rows: list[dict[str, float]] = []
    for threshold in THRESHOLDS:
        for surround in SURROUNDS:
            tried = replace(settings, threshold=threshold, surround=surround)
            found = judge(recording, projection, ArtifactDetector(tried))
            figures = {name: found[name] for name in ("precision", "recall", "f1")}
            rows.append({"threshold": threshold, "surround": surround, **figures})
    return rows


def show(result: dict[str, Any]) -> None:
    """Print the result as tables."""
    console = Console()
    table = Table("", "objects", "precision", "recall", "F1", title="detector, test episodes")
    rows = {"knives, all sources": {"objects": result["knives"]} | result}
    rows |= {
        f"knives, {name}": {"objects": r["knives"]} | r for name, r in result["sources"].items()
    }
    rows |= {
        f"{name}, all sources": row for name, row in result["kinds"].items() if name != "knife"
    }
    for name, row in rows.items():
        figures = (f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(name, f"{row['objects']:,}", *figures)
    console.print(table)
    touching = result["touching"]
    console.print(
        f"knives that touch something: {touching['knives']}, recall {touching['recall']:.4f}\n"
        f"cost: {result['microseconds_per_frame']:.1f} microseconds a frame"
    )
    table = Table("threshold", *map(str, SURROUNDS), title="F1 on training episodes by surround")
    for threshold in THRESHOLDS:
        cells = [row["f1"] for row in result["sweep"] if row["threshold"] == threshold]
        table.add_row(str(threshold), *(f"{cell:.4f}" for cell in cells))
    console.print(table)
    table = Table("floor", "foreground colours", "smallest contrast", title="projection")
    for floor, row in result["projection"]["floors"].items():
        table.add_row(floor, str(row["colours"]), str(row["smallest"]))
    console.print(table)
    console.print(f"contrast of the knife: {result['projection']['knife']}")


if __name__ == "__main__":
    run(main)
