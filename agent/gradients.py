"""Which loss trains which part of the network: the one place where gradients are stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from settings import Checked

Expert = Literal[
    "expert_1", "expert_2", "expert_3", "expert_4", "expert_5", "expert_6", "expert_7", "expert_8"
]
"""Parts of the encoder that learn from one bin of a variable each; some are there with
``--model.experts``."""
EXPERTS: tuple[str, ...] = get_args(Expert)


@dataclass(frozen=True)
class GradientsConfig(Checked):
    """Which parts each loss trains, among those that it reaches; without any it is only reported.

    By default every loss trains all that it reaches. With ``policy actor``, ``entropy actor`` and
    ``value critic`` actor and critic learn on top of whatever the autoencoder sees. ``encoder``
    is all of it, with its experts.
    """

    policy: tuple[Literal["encoder", "actor", Expert], ...] = ("encoder", "actor")
    """Parts that the policy loss trains."""
    value: tuple[Literal["encoder", "critic", Expert], ...] = ("encoder", "critic")
    """Parts that the value loss trains."""
    entropy: tuple[Literal["encoder", "actor", Expert], ...] = ("encoder", "actor")
    """Parts that the entropy bonus trains."""
    reconstruction: tuple[Literal["encoder", "decoder", Expert], ...] = ("encoder", "decoder")
    """Parts that the reconstruction loss trains."""
    artifacts: tuple[Literal["artifacts"], ...] = ("artifacts",)
    """Whether the loss of locator and sprites trains them."""

    def of_actor(self, features: Tensor) -> Tensor:
        """What the actor reads of features: no gradient passes if none of its losses may."""
        return features if {*self.policy, *self.entropy} - {"actor"} else features.detach()

    def of_critic(self, features: Tensor) -> Tensor:
        """What the critic reads of features: no gradient passes if its loss may not."""
        return features if {*self.value} - {"critic"} else features.detach()

    @property
    def experts(self) -> set[str]:
        """The experts that it names."""
        return {part for loss in fields(self) for part in getattr(self, loss.name)} & {*EXPERTS}

    @property
    def is_one_pass(self) -> bool:
        """Whether all losses together can go back through the network at once."""
        return (
            set(self.policy) == set(self.entropy)
            and "actor" in self.policy
            and "critic" in self.value
            and not self.experts
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
        parameters = [*dict.fromkeys(one for part in sorted(trained) for one in parts[part])]
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
