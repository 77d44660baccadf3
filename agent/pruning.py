"""Removes units that add nothing: a network becomes smaller and faster, not only sparser.

What a unit adds is how much its activation varies, times the norm of the weights that read it. The
mean of what is removed goes into the biases of the layers that read it.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from agent.actor_critic import ActorCritic, ActorCriticConfig
from encoders.channels import channel_norms
from encoders.experts import Experts
from encoders.resnet import ResNet

FIRST, SECOND = "autoencoder.encoder.convolutions.0", "autoencoder.encoder.convolutions.2"
LATENT = "autoencoder.encoder.latent"
DRAWING, PROFILES = "autoencoder.decoder.layers.0", "autoencoder.decoder.layers.3"
ACTOR, ACTIONS, CRITIC, VALUE = "actor.hidden", "actor.last", "critic.0", "critic.2.linear"


class _Group(NamedTuple):
    """Units that are removed together, and the layers around them."""

    size: int
    """How many there are."""
    producer: str
    """Layer whose outputs they are."""
    copies: int
    """How many times they follow each other in these outputs."""
    readers: Mapping[str, int]
    """Layers whose inputs they are, and how many times they follow each other there, at first."""


class Pruned(NamedTuple):
    """A smaller network."""

    config: ActorCriticConfig
    """With which it is built."""
    tensors: dict[str, Tensor]
    """Its state."""


@torch.no_grad()
def prune(model: ActorCritic, obs: Tensor, gauges: Tensor, tracks: Tensor, share: float) -> Pruned:
    """Remove a share of the channels of each convolution and of the units of each layer.

    The latent is one of these layers. Whatever finds and draws small artifacts stays whole, and
    each layer keeps one unit at least.

    Args:
        model: The network, which stays as it is.
        obs: (B, C, H, W) uint8, observations as it sees them when it plays.
        gauges: (B, G) float32, that go with them.
        tracks: (B, U), units of artifacts' tracks in them.
        share: What is removed of each layer, from 0 to less than 1.

    Raises:
        ValueError: If the network has experts or a backbone, which are not pruned.
    """
    if isinstance(model.autoencoder.encoder.convolutions, Experts | ResNet):
        raise ValueError("a network with experts or a backbone cannot be pruned")
    groups = _groups(model)
    with _inputs(model, [reader for group in groups.values() for reader in group.readers]) as seen:
        model.autoencoder.decode(model(obs, gauges, tracks).latent)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    cuts: list[tuple[str, int, Tensor]] = []
    sizes: dict[str, int] = {}
    for name, group in groups.items():
        kept = _most_important(group, state, seen, share)
        sizes[name] = len(kept)
        rows = _places(kept, group, group.copies, group.copies * group.size)
        cuts += [(f"{group.producer}.{kind}", 0, rows) for kind in ("weight", "bias")]
        for reader, copies in group.readers.items():
            weight, mean = state[f"{reader}.weight"], seen[reader].mean(dim=0)
            columns = _places(kept, group, copies, len(mean))
            total = weight.reshape(*weight.shape[:2], -1).sum(dim=2)  # over a kernel's places
            state[f"{reader}.bias"] += total @ mean.index_fill(0, columns, 0.0)
            cuts.append((f"{reader}.weight", 1, columns))
    for name, dim, index in cuts:
        state[name] = state[name].index_select(dim, index)
    return Pruned(_config(model.config, sizes), state)


def _groups(model: ActorCritic) -> dict[str, _Group]:
    """All units that can be removed, by the name of their layer."""
    config, autoencoder = model.config, model.autoencoder
    frames, height, width = autoencoder.obs_shape
    first, second = config.autoencoder.encoder.channels
    own, drawn, branch = (
        config.autoencoder.encoder.latent_dim,
        config.autoencoder.decoder.units,
        config.branch_units,
    )
    places = (height // 8) * (width // 8)
    return {
        "first": _Group(first, FIRST, 1, {SECOND: 1}),
        "second": _Group(second, SECOND, 1, {LATENT: places}),
        "latent": _Group(own, LATENT, 1, {ACTOR: 1, CRITIC: 1, DRAWING: 1}),
        "decoder": _Group(drawn, DRAWING, frames, {PROFILES: 1}),
        "actor": _Group(branch, ACTOR, 1, {ACTIONS: 1}),
        "critic": _Group(branch, CRITIC, 1, {VALUE: 1}),
    }


@contextmanager
def _inputs(model: ActorCritic, layers: list[str]) -> Generator[dict[str, Tensor]]:
    """What layers read while the context lasts: (N, inputs) float32, by name."""
    found: dict[str, Tensor] = {}

    def keep(name: str, layer: nn.Module) -> Any:
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            read = inputs[0].movedim(1, -1) if isinstance(layer, nn.Conv2d) else inputs[0]
            found[name] = read.flatten(0, -2).float()

        return layer.register_forward_pre_hook(hook)

    handles = [keep(name, model.get_submodule(name)) for name in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _most_important(
    group: _Group, state: Mapping[str, Tensor], seen: Mapping[str, Tensor], share: float
) -> Tensor:
    """Numbers of the units that stay, in order."""
    squares = torch.zeros(group.size)
    for reader, copies in group.readers.items():
        norms = channel_norms(state[f"{reader}.weight"])[: copies * group.size]
        squares += norms.view(copies, group.size).square().sum(dim=0)
    reader, copies = next(iter(group.readers.items()))
    read = seen[reader][:, : copies * group.size].reshape(-1, copies, group.size)
    importance = read.std(dim=(0, 1)) * squares.sqrt()
    count = max(1, round(group.size * (1 - share)))
    return importance.topk(count).indices.sort().values


def _places(units: Tensor, group: _Group, copies: int, total: int) -> Tensor:
    """Where ``units`` are among ``total`` numbers that begin with all units so many times."""
    starts = group.size * torch.arange(copies)[:, None]
    rest = torch.arange(group.size * copies, total)
    return torch.cat([(starts + units).flatten(), rest])


def _config(config: ActorCriticConfig, sizes: Mapping[str, int]) -> ActorCriticConfig:
    autoencoder = config.autoencoder
    encoder = replace(
        autoencoder.encoder,
        latent_dim=sizes["latent"],
        channels=(sizes["first"], sizes["second"]),
    )
    decoder = replace(autoencoder.decoder, units=sizes["decoder"])
    return replace(
        config,
        autoencoder=replace(autoencoder, encoder=encoder, decoder=decoder),
        branch_units=sizes["actor"],
    )
