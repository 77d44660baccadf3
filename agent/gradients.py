"""Which loss trains which part of the network: the one place where gradients are stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from settings import Checked


@dataclass(frozen=True)
class GradientsConfig(Checked):
    """Which parts each loss trains, among those that it reaches; without any it is only reported.

    By default every loss trains all that it reaches. With ``policy actor``, ``entropy actor`` and
    ``value critic`` actor and critic learn on top of whatever the autoencoder sees.
    """

    policy: tuple[Literal["encoder", "actor"], ...] = ("encoder", "actor")
    """Parts that the policy loss trains."""
    value: tuple[Literal["encoder", "critic"], ...] = ("encoder", "critic")
    """Parts that the value loss trains."""
    entropy: tuple[Literal["encoder", "actor"], ...] = ("encoder", "actor")
    """Parts that the entropy bonus trains."""
    reconstruction: tuple[Literal["encoder", "decoder"], ...] = ("encoder", "decoder")
    """Parts that the reconstruction loss trains."""
    artifacts: tuple[Literal["artifacts"], ...] = ("artifacts",)
    """Whether the loss of locator and sprites trains them."""

    def of_actor(self, features: Tensor) -> Tensor:
        """What the actor reads of features: no gradient passes if none of its losses may."""
        return features if "encoder" in (*self.policy, *self.entropy) else features.detach()

    def of_critic(self, features: Tensor) -> Tensor:
        """What the critic reads of features: no gradient passes if its loss may not."""
        return features if "encoder" in self.value else features.detach()

    @property
    def is_one_pass(self) -> bool:
        """Whether all losses together can go back through the network at once."""
        return (
            set(self.policy) == set(self.entropy)
            and "actor" in self.policy
            and "critic" in self.value
            and set(self.reconstruction) == {"encoder", "decoder"}
            and bool(self.artifacts)
        )


def backward(
    losses: Mapping[str, Tensor],
    config: GradientsConfig,
    parts: Mapping[str, Sequence[nn.Parameter]],
) -> Tensor:
    """Add to the gradients of each part those of the losses that train it, and of no other.

    Usually one pass does it. If a loss may not train a part that another trains through the same
    layers, every set of parts takes a pass of its own.

    Args:
        losses: Scalars by name, each with its factor.
        config: Which parts each trains.
        parts: Parameters by part.

    Returns:
        The sum of all losses, a scalar.
    """
    total = torch.stack(list(losses.values())).sum()
    if config.is_one_pass:
        total.backward()
        return total
    together: dict[frozenset[str], list[Tensor]] = {}
    for name, loss in losses.items():
        together.setdefault(frozenset(getattr(config, name)), []).append(loss)
    for trained, of_them in together.items():
        parameters = [one for part in sorted(trained) for one in parts[part]]
        if not parameters:
            continue
        found = torch.autograd.grad(
            torch.stack(of_them).sum(),
            parameters,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    return total
