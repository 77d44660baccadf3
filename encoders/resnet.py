"""The first stages of a ResNet, with weights that were trained on other pictures.

Its batch normalisation is part of the convolutions: means and variances stay those of the pictures
on which it was trained, and no batch changes them (He et al. 2016, "Deep residual learning for
image recognition"). torchvision's own networks need a build of that library that fits PyTorch's.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import safetensors.torch
import torch
from torch import Tensor, nn

EPSILON = 1e-5
"""Of torchvision's batch normalisation."""
BackboneName = Literal["", "resnet18", "resnet34", "resnet50", "open_nsfw"]


class Backbone(NamedTuple):
    """A kind of ResNet."""

    bottleneck: bool
    """Whether a block has three convolutions, the last of which has four times the channels."""
    width: int
    """Channels of the first stage's convolutions; the second has twice as many."""
    depths: tuple[int, int]
    """Blocks of both stages."""
    caffe: bool = False
    """Whether the first convolution of a bottleneck takes the stride, not the second, and pooling
    begins at the edge."""
    scale: float = 1.0
    """How many of its units one of ours is; pictures of standard deviation 1 are usual."""

    @property
    def channels(self) -> int:
        """Of the output."""
        return 2 * self.width * (4 if self.bottleneck else 1)


BACKBONES: Mapping[str, Backbone] = {
    "resnet18": Backbone(bottleneck=False, width=64, depths=(2, 2)),
    "resnet34": Backbone(bottleneck=False, width=64, depths=(3, 4)),
    "resnet50": Backbone(bottleneck=True, width=64, depths=(3, 4)),
    # Grey levels less their mean, as Caffe has them.
    "open_nsfw": Backbone(True, 32, (3, 4), caffe=True, scale=57.0),
}
"""Kinds by name: torchvision's, and the thin ResNet-50 of open_nsfw, which a package ships."""


class WeightsError(ValueError):
    """A file does not hold the weights of a backbone."""


class Block(nn.Module):
    """A residual block; its convolutions hold their batch normalisation."""

    def __init__(self, inputs: int, width: int, stride: int, kind: Backbone) -> None:
        """Turn ``inputs`` channels into those of ``kind``."""
        super().__init__()
        outputs = width * (4 if kind.bottleneck else 1)
        strides = (stride, 1) if kind.caffe or not kind.bottleneck else (1, stride)
        if kind.bottleneck:
            self.convolutions = nn.ModuleList([
                nn.Conv2d(inputs, width, 1, strides[0]),
                nn.Conv2d(width, width, 3, strides[1], padding=1),
                nn.Conv2d(width, outputs, 1),
            ])  # fmt: skip
        else:
            self.convolutions = nn.ModuleList([
                nn.Conv2d(inputs, width, 3, strides[0], padding=1),
                nn.Conv2d(width, width, 3, strides[1], padding=1),
            ])  # fmt: skip
        changed = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if changed else None

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) to (B, outputs, H / stride, W / stride)."""
        shortcut = self.shortcut(inputs) if self.shortcut else inputs
        hidden = inputs
        for number, convolution in enumerate(self.convolutions):
            hidden = convolution(hidden.relu() if number else hidden)
        return (hidden + shortcut).relu()


class ResNet(nn.Module):
    """Images (B, C, H, W) to features (B, channels, H / 8, W / 8)."""

    def __init__(self, name: str, inputs: int, *, frozen: bool) -> None:
        """Build a kind with fresh weights for ``inputs`` (C) channels.

        Args:
            name: One of ``BACKBONES``.
            inputs: Channels of the images.
            frozen: Whether its weights stay what they are.
        """
        super().__init__()
        self.name = name
        kind = BACKBONES[name]
        self.stem = nn.Conv2d(inputs, 64, 7, 2, padding=3)
        self.pool = nn.MaxPool2d(3, 2, padding=1 - kind.caffe, ceil_mode=kind.caffe)
        blocks: list[nn.Module] = []
        channels = 64
        for stage, depth in enumerate(kind.depths):
            for number in range(depth):
                width, stride = kind.width * 2**stage, 2 if stage and not number else 1
                blocks.append(Block(channels, width, stride, kind))
                channels = width * (4 if kind.bottleneck else 1)
        self.blocks = nn.Sequential(*blocks)
        self.requires_grad_(not frozen)

    def forward(self, images: Tensor) -> Tensor:
        """Read normalised images."""
        return self.blocks(self.pool(self.stem(images).relu()))

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Take weights that were trained on colour pictures.

        All channels are read as if each were a grey picture's: with equal channels the network does
        what it does with one picture.

        Args:
            path: State of one of torchvision's networks (.pth, .pt or .safetensors), or an ONNX
                graph whose convolutions hold their batch normalisation (.onnx).

        Raises:
            WeightsError: If it does not hold those of this kind.
        """
        found = list(_read(path))
        layers = list(self._layers())
        shapes = [
            (3, *layer.weight.shape[2:]) if layer is self.stem else layer.weight.shape[1:]
            for layer in layers
        ]
        wanted = [(len(layer.weight), *shape) for layer, shape in zip(layers, shapes, strict=True)]
        if [tuple(weight.shape) for weight, _ in found[: len(layers)]] != wanted:
            raise WeightsError(f"{path} must hold the weights of {self.name}")
        for layer, (weight, bias) in zip(layers, found, strict=False):
            if layer is self.stem:
                grey = weight.sum(dim=1, keepdim=True) / layer.in_channels
                weight = grey.expand_as(layer.weight) * BACKBONES[self.name].scale
            layer.weight.copy_(weight)
            assert layer.bias is not None
            layer.bias.copy_(bias)

    def _layers(self) -> Iterator[nn.Conv2d]:
        """All convolutions in the order in which files hold them."""
        yield self.stem
        for block in cast(Iterator[Block], self.blocks):
            if block.shortcut:
                yield block.shortcut
            yield from cast(Iterator[nn.Conv2d], block.convolutions)


def _read(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights and biases of the convolutions in a file, batch normalisation included.

    A block's shortcut comes before its other convolutions.
    """
    try:
        if path.suffix == ".onnx":
            yield from _read_onnx(path)
            return
        if path.suffix == ".safetensors":
            state = safetensors.torch.load_file(path)
        else:
            state = cast(dict[str, Tensor], torch.load(path, "cpu", weights_only=True))
    except Exception as error:  # each format has errors of its own
        raise WeightsError(f"{path} cannot be read: {error}") from error
    yield from _folded(state, [("conv1", "bn1")])
    for stage in (1, 2):
        for number in range(100):
            block = f"layer{stage}.{number}"
            pairs = [(f"{block}.downsample.0", f"{block}.downsample.1")]
            pairs += [(f"{block}.conv{layer}", f"{block}.bn{layer}") for layer in (1, 2, 3)]
            yield from _folded(state, pairs)


def _folded(
    state: Mapping[str, Tensor], pairs: list[tuple[str, str]]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Convolutions, of those that there are, with their batch normalisation."""
    for convolution, norm in pairs:
        if f"{convolution}.weight" in state:
            for part in ("weight", "bias", "running_mean", "running_var"):
                if f"{norm}.{part}" not in state:
                    raise WeightsError(f"it lacks {norm}.{part}")
            slope = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
            shift = state[f"{norm}.bias"] - slope * state[f"{norm}.running_mean"]
            yield state[f"{convolution}.weight"] * slope[:, None, None, None], shift


def _read_onnx(path: Path) -> Iterator[tuple[Tensor, Tensor]]:
    import onnx  # an extra's package

    graph: Any = onnx.load(path).graph
    values = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv":
            weight, bias = (onnx.numpy_helper.to_array(values[name]) for name in node.input[1:3])
            yield torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
