"""A backbone computes what its source computes, from weights in torchvision's and ONNX's format."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

from agent.actor_critic import ActorCritic, ActorCriticConfig
from encoders import AutoencoderConfig, Encoder, EncoderConfig
from encoders.resnet import BACKBONES, ResNet, WeightsError
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE

State = dict[str, torch.Tensor]
CHANNELS = {"resnet18": 128, "resnet34": 128, "resnet50": 512, "open_nsfw": 256}


def torchvision_state(name: str) -> State:
    """Random weights under the names that torchvision gives them, and some that are not read."""
    torch.manual_seed(0)
    kind, state = BACKBONES[name], State()

    def convolution(key: str, norm: str, *shape: int) -> None:
        state[f"{key}.weight"] = torch.randn(shape) / np.prod(shape[1:]) ** 0.5
        state[f"{norm}.weight"], state[f"{norm}.bias"] = torch.rand(shape[0]), torch.randn(shape[0])
        state[f"{norm}.running_mean"] = torch.randn(shape[0])
        state[f"{norm}.running_var"] = torch.rand(shape[0]) + 0.5

    convolution("conv1", "bn1", 64, 3, 7, 7)
    inputs = 64
    for stage, depth in enumerate(kind.depths, 1):
        width = 64 * stage
        outputs = width * (4 if kind.bottleneck else 1)
        for number in range(depth):
            block = f"layer{stage}.{number}"
            shapes = [(width, inputs, 3, 3), (width, width, 3, 3)]
            if kind.bottleneck:
                shapes = [(width, inputs, 1, 1), (width, width, 3, 3), (outputs, width, 1, 1)]
            for layer, shape in enumerate(shapes, 1):
                convolution(f"{block}.conv{layer}", f"{block}.bn{layer}", *shape)
            if inputs != outputs or (stage == 2 and not number):
                keys = f"{block}.downsample.0", f"{block}.downsample.1"
                convolution(*keys, outputs, inputs, 1, 1)
            inputs = outputs
    convolution("layer3.0.conv1", "layer3.0.bn1", 8, 8, 1, 1)
    state["fc.weight"] = torch.zeros(1000, 512)
    return state


def reference(state: State, images: torch.Tensor) -> torch.Tensor:
    """What torchvision computes with a state, up to its second stage, in evaluation."""

    def layer(x: torch.Tensor, key: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = state[f"{key}.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
        stats = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        return functional.batch_norm(x, *stats, state[f"{norm}.weight"], state[f"{norm}.bias"])

    x = functional.max_pool2d(layer(images, "conv1", "bn1", 2).relu(), 3, 2, 1)
    for stage in (1, 2):
        for number in range(10):
            block = f"layer{stage}.{number}"
            if f"{block}.conv1.weight" not in state:
                break
            stride = 2 if stage == 2 and not number else 1
            last = 3 if f"{block}.conv3.weight" in state else 2
            out = x
            for index in range(1, last + 1):
                own = stride if index == last - 1 else 1  # before the last, as in "v1.5"
                out = layer(out, f"{block}.conv{index}", f"{block}.bn{index}", own)
                out = out.relu() if index < last else out
            if f"{block}.downsample.0.weight" in state:
                x = layer(x, f"{block}.downsample.0", f"{block}.downsample.1", stride)
            x = (out + x).relu()
    return x


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_equal_channels_are_seen_as_torchvision_sees_a_grey_picture(
    name: str, ending: str, tmp_path: Path
):
    state, path = torchvision_state(name), tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    network = ResNet(name, inputs=4, frozen=True)
    network.load(path)
    grey = torch.randn(2, 1, 32, 48)
    found = network(grey.expand(2, 4, 32, 48))
    assert found.shape == (2, CHANNELS[name], 4, 6)
    torch.testing.assert_close(
        found, reference(state, grey.expand(2, 3, 32, 48)), rtol=1e-3, atol=1e-3
    )


def onnx_file(path: Path, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """A graph of convolutions, whose weights are returned; their biases are 1, 2, 3 and so on."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape, np.float32) for shape in shapes]
    parts, nodes = [], []
    for number, weight in enumerate(weights, 1):
        bias = np.full(len(weight), number, np.float32)
        parts += [numpy_helper.from_array(weight, f"w{number}")]
        parts += [numpy_helper.from_array(bias, f"b{number}")]
        nodes += [helper.make_node("Conv", ["x", f"w{number}", f"b{number}"], [f"y{number}"])]
        nodes += [helper.make_node("Relu", [f"y{number}"], [f"z{number}"])]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], parts)), path)
    return weights


def test_an_onnx_graph_gives_its_convolutions_in_order(tmp_path: Path):
    network = ResNet("open_nsfw", inputs=5, frozen=False)
    shapes = [(64, 3, 7, 7)]
    inputs = 64
    for width, depth in ((32, 3), (64, 4)):
        for number in range(depth):
            shapes += [] if number else [(4 * width, inputs, 1, 1)]
            shapes += [(width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            inputs = 4 * width
    weights = onnx_file(tmp_path / "a.onnx", [*shapes, (8, 8, 1, 1)])
    network.load(tmp_path / "a.onnx")
    stem = torch.from_numpy(weights[0]).sum(dim=1, keepdim=True) / 5 * 57
    torch.testing.assert_close(network.stem.weight, stem.expand(64, 5, 7, 7))
    block = network.blocks[0]
    assert torch.equal(block.shortcut.weight, torch.from_numpy(weights[1]))
    assert torch.equal(block.convolutions[1].weight, torch.from_numpy(weights[3]))
    assert [layer.bias[0].item() for layer in network._layers()] == list(range(1, len(shapes) + 1))
    strides = [layer.stride[0] for layer in network.blocks[3].convolutions]
    assert strides == [2, 1, 1]  # of Caffe's networks
    assert network(torch.randn(1, 5, 32, 48)).shape == (1, 256, 4, 6)


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path):
    network = ResNet("resnet18", inputs=4, frozen=False)
    before = network.stem.weight.clone()
    other, nonsense, poor = (tmp_path / name for name in ("a.pth", "b.pth", "c.safetensors"))
    torch.save(torchvision_state("resnet50"), other)
    nonsense.write_text("nonsense")
    state = torchvision_state("resnet18")
    del state["layer2.1.bn2.running_var"]
    safetensors.torch.save_file(state, poor)
    for path, told in (
        (other, "must hold the weights of resnet18"),
        (nonsense, "cannot be read"),
        (poor, r"lacks layer2\.1\.bn2\.running_var"),
        (tmp_path / "d.onnx", "cannot be read"),
    ):
        with pytest.raises(WeightsError, match=told):
            network.load(path)
    assert torch.equal(network.stem.weight, before)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_frozen_backbone_stays_and_the_layer_behind_it_learns(frozen: bool):
    torch.manual_seed(0)
    encoder = EncoderConfig(backbone="resnet18", frozen_backbone=frozen)
    config = ActorCriticConfig(AutoencoderConfig(encoder, bfloat16=False))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)
    obs = torch.randint(256, (2, *OBS_SHAPE), dtype=torch.uint8)
    prediction = model(obs)
    assert prediction.latent[:, :64].abs().max() <= 1
    prediction.value.sum().backward()
    backbone = model.autoencoder.encoder.convolutions
    moved = [parameter.grad is not None for parameter in backbone.parameters()]
    assert moved == [not frozen] * len(moved)
    assert model.autoencoder.encoder.latent.weight.grad.any()
    trainable = {id(parameter) for parameter in model.parts()["encoder"]}
    assert trainable.isdisjoint(map(id, backbone.parameters())) == frozen


def test_an_encoder_gives_its_weights_to_every_backbone_that_it_has(tmp_path: Path):
    torch.save(torchvision_state("resnet18"), tmp_path / "a.pth")
    encoder = Encoder((4, 16, 24), EncoderConfig(backbone="resnet18"), experts=2)
    encoder.load_backbone(tmp_path / "a.pth")
    first, second = encoder.convolutions.networks
    assert torch.equal(first.stem.weight, second.stem.weight)
    assert first.stem.weight[0, 0].std() > 0
