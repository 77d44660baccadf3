"""Judge projection and detector against the game's RAM.

Example:
    python -m benchmarks.detector --json benchmarks/results/detector.json
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.data import (
    DataConfig,
    Recording,
    Source,
    inventory,
    load,
    visible_projectiles,
)
from benchmarks.provenance import provenance
from benchmarks.scene import detect
from encoders import ArtifactDetectorConfig, Detector, make_finder
from envs import EnvConfig, Projection, calibrate
from envs.kung_fu_master import ram as truth
from envs.projection import BACKGROUND
from experiment.command_line import check_output, exit_code
from experiment.files import write_json
from monitoring.console import make_console, print_table

SOURCES: tuple[Source, ...] = ("random", "agent", "tour")
THRESHOLDS = (100, 129, 160, 192, 224, 255)
"""Tried on the training frames: from below the background's level to that of artifacts.

On clean frames all thresholds above the background find the same. The default is in the middle, at
half of an artifact's contrast. A reconstruction has to reach that much, too."""
SURROUNDS = (1, 2, 4, 6, 8, 12)
"""Tried on the training frames."""

COSTED = 8192
"""Observations whose detection is timed."""


@dataclass(frozen=True)
class DetectorBenchmarkConfig(DataConfig):
    """Judge projection and detector on labelled test frames."""

    json: Path = Path("detector.json")
    """File for the result."""


def main() -> None:
    """Run the benchmark, write its JSON, print its tables."""
    config = tyro.cli(DetectorBenchmarkConfig)
    check_output(config.json)
    made_by = provenance("detector")
    cv2.setNumThreads(1)
    settings = ArtifactDetectorConfig()
    projection = calibrate(EnvConfig(), seed=0)
    test = {source: load(config, "test", (source,)) for source in SOURCES}
    sources = {
        source: detection_scores(part, projection, make_finder(settings).detector)
        for source, part in test.items()
    }
    whole = load(config, "test", SOURCES)
    result = {
        **made_by,
        **detection_scores(whole, projection, make_finder(settings).detector),
        "microseconds_per_frame": cost(whole.project(projection)[whole.stacks()[:COSTED]]),
        "sources": sources,
        "settings": vars(settings),
        "projection": contrasts(whole, projection),
        "sweep": sweep(load(config, "train", SOURCES), projection, settings),
        "data": {source: inventory(part) for source, part in test.items()},
    }
    write_json(config.json, result)
    show(result)


def detection_scores(
    recording: Recording, projection: Projection, detector: Detector
) -> dict[str, Any]:
    """Precision and recall of a detector.

    A visible object is recalled if one of its own pixels is detected. A detected part is right if
    it touches the projectile that is on screen, whatever its kind.

    Returns:
        ``frames`` and ``knives`` (how many), ``precision`` (of all parts), ``recall`` (of knives),
        ``f1`` (of these two), ``touching`` (the knives that touch something: how many, and their
        recall) and ``kinds`` (``objects``, ``precision``, ``recall`` and ``f1`` of each kind of
        projectile; its precision is that of the parts found while one is in view).
    """
    frames = recording.project(projection)
    found = detect(detector, frames, recording.stacks())
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
    """The number of the connected part to which each pixel belongs, from 1; 0 outside; (H, W)."""
    return np.asarray(cv2.connectedComponentsWithStats(mask, connectivity=8)[1], np.int32)


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask and the pixels beside it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))) != 0


def share(part: int, whole: int) -> float | None:
    """``part / whole``; None if ``whole`` is 0."""
    return part / whole if whole else None


def scores(right: int, parts: int, recalled: int, objects: int) -> dict[str, float | None]:
    """Precision, recall and their harmonic mean, ``f1``."""
    precision, recall = share(right, parts), share(recalled, objects)
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def cost(obs: NDArray[np.uint8]) -> float:
    """Microseconds per new frame on one core: the median over batches of 32.

    Args:
        obs: (T, C, H, W) uint8.
    """
    finder = make_finder(ArtifactDetectorConfig())
    times: list[float] = []
    for start in range(0, len(obs) - 31, 32):
        batch = np.ascontiguousarray(obs[start : start + 32])
        begun = time.perf_counter()
        finder(batch)
        times.append((time.perf_counter() - begun) / 32)
    return float(np.median(times) * 1e6)


def contrasts(recording: Recording, projection: Projection) -> dict[str, Any]:
    """Distance of every foreground colour of every floor from its local background.

    The local background of a pixel is the median palette index of its scan line, which is the
    colour of most of the line. Every pixel that differs from it is foreground, whatever the
    projection takes for background.

    Returns:
        ``background`` and ``artifacts`` (the projection's colours), ``knife`` (the knife's contrast
        in grey levels) and ``floors``: for each floor the number of foreground ``colours``, the
        ``smallest`` contrast and the colour that has it, ``weakest``.
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
    """Precision, recall and F1 for each of ``THRESHOLDS``, then for each of ``SURROUNDS``."""
    tried = [replace(settings, threshold=threshold) for threshold in THRESHOLDS]
    tried += [replace(settings, surround=surround) for surround in SURROUNDS]
    rows: list[dict[str, Any]] = []
    for candidate in tried:
        found = detection_scores(recording, projection, make_finder(candidate).detector)
        row = {"threshold": candidate.threshold, "surround": candidate.surround}
        rows.append(row | {name: found[name] for name in ("precision", "recall", "f1")})
    return rows


def show(result: dict[str, Any]) -> None:
    """Print the result as tables."""
    console = make_console()
    title = "detector on test episodes; precision is that of all detections"
    table = Table("", "objects", "precision", "recall", "F1", title=title)
    rows = {"knives, all sources": {"objects": result["knives"]} | result}
    for name, row in result["sources"].items():
        rows[f"knives, {name}"] = {"objects": row["knives"]} | row
    for name, row in result["kinds"].items():
        rows[f"{name}, while in view"] = row
    for name, row in rows.items():
        table.add_row(name, f"{row['objects']:,}", *map(_share, _figures(row)))
    print_table(table)
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
    print_table(table)
    table = Table("floor", "foreground colours", "smallest contrast", title="projection")
    for floor, row in result["projection"]["floors"].items():
        table.add_row(floor, str(row["colours"]), f"{row['smallest']} {row['weakest']}")
    print_table(table)
    console.print(f"contrast of the knife: {result['projection']['knife']}")


def _figures(row: dict[str, Any]) -> tuple[float | None, ...]:
    return row["precision"], row["recall"], row["f1"]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(exit_code(main))
