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
from envs import EnvConfig, Projection, calibrate
from envs import ground_truth as truth
from envs.projection import BACKGROUND

SOURCES: tuple[Source, ...] = ("random", "agent", "tour")
THRESHOLDS = (100, 129, 160, 192, 224, 255)
SURROUNDS = (1, 2, 4, 6, 8, 12)
"""Tried on the training frames; thresholds from below the background to the artifacts' own level.
On clean inputs all above the background are alike; the default is the middle, half of an artifact's
contrast, which is also what a reconstruction has to reach."""


@dataclass(frozen=True)
class DetectorBenchmarkConfig(DataConfig):
    """Judge projection and detector on labelled test frames."""

    json: Path = Path("detector.json")
    """File for the result."""


def main() -> None:
    """Run the benchmark, print its tables, write its JSON."""
    config = tyro.cli(DetectorBenchmarkConfig)
    check_output(config.json)
    made_by = provenance("detector")
    cv2.setNumThreads(1)
    settings = ArtifactDetectorConfig(margin=0)
    projection = calibrate(EnvConfig(), seed=0)
    test = {source: load(config, "test", (source,)) for source in SOURCES}
    sources = {
        source: judge(part, projection, ArtifactDetector(settings)) for source, part in test.items()
    }
    whole = load(config, "test", SOURCES)
    result = {
        **made_by,
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


def share(part: int, whole: int) -> float | None:
    """``part / whole``, None of nothing."""
    return part / whole if whole else None


def scores(right: int, parts: int, recalled: int, objects: int) -> dict[str, float | None]:
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
    """Distance of every foreground colour of every floor from its local background.

    The local background of a pixel is the median of its scan line in palette indices, which is the
    colour of most of it; whatever differs is foreground. This does not ask what the projection
    takes for background.

    Returns:
        The projection's colours, ``knife``, the knife's contrast in grey levels, and for each
        floor under ``floors`` the number of foreground ``colours``, the ``smallest`` contrast and
        the colour that has it (``weakest``).
    """
    levels = projection(recording.palette[None, :, None])[0, :, 0].astype(int)
    colours = [(int(rgb[0]), int(rgb[1]), int(rgb[2])) for rgb in recording.palette]
    floors: dict[str, Any] = {}
    for floor in np.unique(recording.ram[:, truth.FLOOR]):
        frames = recording.frames[recording.ram[:, truth.FLOOR] == floor]
        width = frames.shape[2]
        behind = np.sort(frames, axis=2)[:, :, width // 2, None]
        pairs = frames.astype(np.int32) << 8 | behind
        contrast: dict[int, int] = {}
        for pair in map(int, np.unique(pairs[frames != behind])):
            distance = abs(int(levels[pair >> 8]) - int(levels[pair & 255]))
            contrast[pair >> 8] = min(distance, contrast.get(pair >> 8, 255))
        weakest = min(contrast, key=contrast.__getitem__)
        floors[str(floor)] = {
            "colours": len(contrast),
            "smallest": contrast[weakest],
            "weakest": colours[weakest],
        }
    return {
        "background": projection.background,
        "artifacts": projection.artifacts,
        "knife": abs(int(levels[colours.index(truth.KNIFE_COLOUR)]) - BACKGROUND),
        "floors": floors,
    }


def sweep(
    recording: Recording, projection: Projection, settings: ArtifactDetectorConfig
) -> list[dict[str, Any]]:
    """Precision, recall and F1 over thresholds, and over surrounds."""
    tried = [replace(settings, threshold=threshold) for threshold in THRESHOLDS]
    tried += [replace(settings, surround=surround) for surround in SURROUNDS]
    rows: list[dict[str, Any]] = []
    for candidate in tried:
        found = judge(recording, projection, ArtifactDetector(candidate))
        row = {"threshold": candidate.threshold, "surround": candidate.surround}
        rows.append(row | {name: found[name] for name in ("precision", "recall", "f1")})
    return rows


def show(result: dict[str, Any]) -> None:
    """Print the result as tables."""
    console = Console()
    title = "detector on test episodes; precision is that of all detections"
    table = Table("", "objects", "precision", "recall", "F1", title=title)
    rows = {"knives, all sources": {"objects": result["knives"]} | result}
    for name, row in result["sources"].items():
        rows[f"knives, {name}"] = {"objects": row["knives"]} | row
    for name, row in result["kinds"].items():
        rows[f"{name}, while in view"] = row
    for name, row in rows.items():
        table.add_row(name, f"{row['objects']:,}", *map(_share, _figures(row)))
    console.print(table)
    touching = result["touching"]
    console.print(
        f"knives that touch something: {touching['knives']}, recall {_share(touching['recall'])}\n"
        f"cost: {result['microseconds_per_frame']:.1f} microseconds a frame"
    )
    title = "settings on training episodes"
    table = Table("threshold", "surround", "precision", "recall", "F1", title=title)
    for row in result["sweep"]:
        cells = str(row["threshold"]), str(row["surround"]), *map(_share, _figures(row))
        table.add_row(*cells)
    console.print(table)
    table = Table("floor", "foreground colours", "smallest contrast", title="projection")
    for floor, row in result["projection"]["floors"].items():
        table.add_row(floor, str(row["colours"]), f"{row['smallest']} {row['weakest']}")
    console.print(table)
    console.print(f"contrast of the knife: {result['projection']['knife']}")


def _figures(row: dict[str, Any]) -> tuple[float | None, ...]:
    return row["precision"], row["recall"], row["f1"]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    run(main)
