"""What TensorBoard's protocol buffers hold and ``SummaryWriter`` cannot write."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams

from agent.pictures import Image as Picture

PLAIN = Image.Dither.NONE


class Hyperparameters(NamedTuple):
    """Two summaries that make a run a row of TensorBoard's HParams page."""

    start: Any
    """The run's values."""
    end: Any
    """That the run is complete."""


def hyperparameters(config: Mapping[str, Any]) -> Hyperparameters:
    """Describe a run; ``SummaryWriter.add_hparams`` would make another run of its own for it.

    The usual third summary, which fixes the hyperparameters of an experiment, is left out:
    TensorBoard then compares all runs by itself and shows what differs first.

    Args:
        config: Values by name; what is no number is written out.
    """
    plain = {
        name: value if type(value) in (int, float) else str(value) for name, value in config.items()
    }
    _, start, end = hparams(plain, {})
    return Hyperparameters(start, end)


def film(tag: str, pictures: Sequence[Picture], pictures_per_second: float) -> Any:
    """Pictures as an animated GIF, which TensorBoard's images page plays.

    ``SummaryWriter.add_video`` writes nothing without moviepy, nor with its version 2.

    Args:
        tag: Name in TensorBoard.
        pictures: At least one, (H, W, 3) uint8.
        pictures_per_second: How fast to play.
    """
    palette = _palette(np.stack(pictures))
    images = [
        Image.fromarray(picture).quantize(palette=palette, dither=PLAIN) for picture in pictures
    ]
    file = BytesIO()
    images[0].save(
        file, "GIF", save_all=True, append_images=images[1:],
        duration=round(1000 / pictures_per_second), loop=0,
    )  # fmt: skip
    height, width, _ = pictures[0].shape
    image = Summary.Image(
        height=height, width=width, colorspace=3, encoded_image_string=file.getvalue()
    )
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _palette(pictures: NDArray[np.uint8]) -> Image.Image:
    """One palette for all pictures (T, H, W, 3), which takes a tenth of the time of one for each.

    It holds the colours that occur, five bits a channel, 256 at most; an Atari has 128. Every
    other row and column will do, because pictures are enlarged.
    """
    keys = (pictures[:, ::2, ::2] >> 3).astype(np.uint16) @ np.array(
        [1 << 10, 1 << 5, 1], np.uint16
    )
    counts = np.bincount(keys.ravel(), minlength=1 << 15)
    found = np.sort(np.argsort(counts)[::-1][: min(256, np.count_nonzero(counts))])
    colours = np.stack([found >> 10, found >> 5 & 31, found & 31], axis=1) * 255 // 31
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.astype(np.uint8).tobytes())
    return palette
