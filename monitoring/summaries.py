"""Summaries that ``torch.utils.tensorboard`` cannot make."""

# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportAttributeAccessIssue=false
from collections.abc import Mapping
from typing import Any, NamedTuple

from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams


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
        config: Values by name; what is no number becomes a string.
    """
    plain = {
        name: value if type(value) in (int, float) else str(value) for name, value in config.items()
    }
    _, start, end = hparams(plain, {})
    return Hyperparameters(start, end)


def animation(tag: str, encoded: bytes, size: tuple[int, int]) -> Any:
    """An animated GIF, which TensorBoard's images page plays.

    ``SummaryWriter.add_video`` writes nothing without moviepy, nor with its version 2.

    Args:
        tag: Name in TensorBoard.
        encoded: The file's content.
        size: Height and width, in pixels.
    """
    height, width = size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
