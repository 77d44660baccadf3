"""Files for TensorBoard's embedding projector: latents as points, frames as their pictures."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray
from tensorboard.plugins import projector

DIRECTORY = "projector"
"""Beside the event files."""


class Embedding(NamedTuple):
    """B observations as the encoder sees them."""

    latent: NDArray[np.float32]
    """(B, Z)."""
    thumbnails: NDArray[np.uint8]
    """(B, S, S, 3) RGB; the projector draws all pictures as squares."""
    labels: dict[str, list[str]]
    """Names by what points can be coloured by; B each."""


def write_embedding(log_dir: Path, name: str, embedding: Embedding) -> None:
    """Replace the embedding of a run.

    Args:
        log_dir: Where the run's event files are.
        name: Shown as the tensor's name.
        embedding: The points.

    Raises:
        OSError: If it cannot be written.
    """
    folder = log_dir / DIRECTORY
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "latent.tsv", embedding.latent, fmt="%.4f", delimiter="\t")
    rows = zip(*embedding.labels.values(), strict=True)
    lines = ["\t".join(row) for row in (embedding.labels.keys(), *rows)]
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")
    sheet = sprite(embedding.thumbnails)
    imageio.imwrite(folder / "thumbnails.png", sheet, compress_level=1)  # ten times as fast
    config = projector.ProjectorConfig()
    entry: Any = config.embeddings.add()
    entry.tensor_name = name
    entry.tensor_path = f"{DIRECTORY}/latent.tsv"
    entry.metadata_path = f"{DIRECTORY}/labels.tsv"
    entry.sprite.image_path = f"{DIRECTORY}/thumbnails.png"
    height, width = embedding.thumbnails.shape[1:3]
    entry.sprite.single_image_dim.extend([width, height])
    projector.visualize_embeddings(str(log_dir), config)


def sprite(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (B, H, W, 3) as one sheet, row by row, as many in a row as there are rows.

    Returns:
        (R H, R W, 3) with R the root of B, rounded up; the rest is black.
    """
    count, height, width, _ = pictures.shape
    side = int(np.ceil(np.sqrt(count)))
    sheet = np.zeros((side * side, height, width, 3), np.uint8)
    sheet[:count] = pictures
    rows = sheet.reshape(side, side, height, width, 3).swapaxes(1, 2)
    return rows.reshape(side * height, side * width, 3)
