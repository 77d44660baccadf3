"""Last layers of actor and critic: one for each stage, and one for returns of any size."""

import torch
from torch import Tensor, nn


class ReturnHead(nn.Module):
    """A critic's last layer, which predicts returns of any size by numbers around 1 (PopArt).

    It learns returns less their mean, divided by their standard deviation. When these statistics
    move, its weights move the other way, so that no prediction changes (van Hasselt et al. 2016,
    "Learning values across many orders of magnitude").
    """

    RATE = 0.01
    """Share of a new rollout in the statistics, once there have been as many as 1 / RATE."""
    SMALLEST = 0.1
    """Lower bound of the standard deviation, in units of the learner's rewards."""

    mean: Tensor
    square: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, units: int) -> None:
        """Take ``units`` inputs."""
        super().__init__()
        self.linear = nn.Linear(units, 1)
        for name, value in {"mean": 0.0, "square": 0.0, "std": 1.0, "count": 0.0}.items():
            self.register_buffer(name, torch.tensor(value))

    def forward(self, features: Tensor) -> Tensor:
        """(B, units) to returns (B, 1)."""
        return self.linear(features) * self.std + self.mean

    @torch.no_grad()
    def fit(self, new_mean: Tensor, new_square: Tensor) -> None:
        """Take the mean of a rollout's returns, and of their squares, in, if both are finite."""
        if not (new_mean + new_square).isfinite():
            return
        self.count += 1
        rate = (1 / self.count).clamp(min=self.RATE)
        mean, std = self.mean.clone(), self.std.clone()
        self.mean += rate * (new_mean - self.mean)
        self.square += rate * (new_square - self.square)
        self.std.copy_((self.square - self.mean**2).clamp(min=self.SMALLEST**2).sqrt())
        self.linear.weight *= std / self.std
        self.linear.bias.copy_((self.linear.bias * std + mean - self.mean) / self.std)


class Actor(nn.Module):
    """Latent to action logits, with a last layer of its own for each of S stages.

    What is right on one stage may be wrong on the next, which looks the same. There the choice
    begins anew, and no habit has to be unlearned.
    """

    def __init__(self, latent_dim: int, units: int, num_actions: int, stages: int) -> None:
        """Start out with logits close to 0."""
        super().__init__()
        self.hidden = nn.Linear(latent_dim, units)
        self.last = nn.Linear(units, stages * num_actions)
        nn.init.orthogonal_(self.last.weight, 0.01)
        nn.init.zeros_(self.last.bias)

    def forward(self, latent: Tensor, stage: Tensor) -> Tensor:
        """(B, Z), and 1 for the present stage among zeros, (B, S), to logits (B, A)."""
        logits = self.last(self.hidden(latent).relu()).unflatten(1, (stage.shape[1], -1))
        return (logits * stage[:, :, None]).sum(dim=1)
