"""Learning: proximal policy optimisation with a reconstruction loss on the shared encoder."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from agent.actor_critic import ActorCritic
from agent.credit import CreditConfig, credit
from agent.gradients import backward
from agent.losses import clipped_policy_loss, value_loss
from agent.minibatches import Minibatch, minibatches
from agent.ppo_config import PPOConfig
from agent.ranks import Ranks
from agent.returns import generalized_advantages
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, AutoencoderLoss, perturb


class NonFiniteLossError(RuntimeError):
    """Too many losses or gradients in a row were NaN or infinite; none changed a parameter."""


class PPO:
    """Owns the optimizer; turns rollouts into better parameters and metrics."""

    def __init__(
        self,
        model: ActorCritic,
        config: PPOConfig,
        weights: ArtifactWeightsConfig,
        credit: CreditConfig,
        ranks: Ranks | None = None,
    ) -> None:
        """Prepare to train ``model``, together with other ``ranks`` if there are any."""
        self.model, self.config, self.weights, self.credit = model, config, weights, credit
        self.ranks = ranks or Ranks()
        self._skipped = 0  # minibatches in a row
        factor = config.autoencoder_lr_factor
        lr_factors = {"branches": 1.0, "autoencoder": factor, "artifacts": factor}
        self.optimizer = torch.optim.Adam(
            [
                {"params": parameters, "lr_factor": lr_factors[owner]}
                for owner, parameters in model.parameter_groups().items()
            ],
            config.learning_rate,
            eps=1e-5,
            fused=True,
        )

    def update(self, rollout: Rollout, steps: int, progress: float) -> dict[str, float]:
        """Learn from one rollout.

        Args:
            rollout: Filled by the collector.
            steps: Agent steps collected so far; decides which losses and statistics are learned.
            progress: Share of the training that is done, 0 to 1; decides the learning rate.

        Returns:
            Metrics by TensorBoard tag, means over the optimizer steps.

        Raises:
            LostRankError: If a rank is lost.
            NonFiniteLossError: If the losses or gradients of ``max_skipped`` minibatches in a row,
                over all updates, are NaN or infinite. They change no parameter.
        """
        config = self.config
        learning_rate = config.learning_rate_at(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["lr_factor"]
        assert config.reward_scale > 0, "it must have been found before"
        rewards = (rollout.rewards * config.reward_scale).clamp(*config.reward_clip)
        rewards += credit(rollout.changes, self.credit, progress)
        advantages = generalized_advantages(
            rewards,
            rollout.values,
            rollout.next_values,
            rollout.terminated,
            rollout.truncated,
            config.gamma,
            config.gae_lambda,
        )
        returns = advantages + rollout.values
        coefficients = config.coefficients(steps)
        if coefficients["value"]:
            moments = torch.stack([returns.mean(), returns.square().mean()])
            self.ranks.average([moments])
            self.model.returns.fit(*moments)
        explained = 1 - advantages.var() / (returns.var() + 1e-8)
        if config.normalize_advantages:
            mean, std = self._moments(advantages)
            advantages = (advantages - mean) / (std + 1e-8)
        groups = self.model.parameter_groups()
        apart = groups.pop("artifacts")
        parts = self.model.parts()
        history: list[Tensor] = []
        names: list[str] = []
        skipped = 0
        for batch in minibatches(
            rollout, advantages, returns, config, has_tracks=bool(self.model.autoencoder.locator)
        ):
            losses, metrics = self._losses(batch)
            assert losses.keys() == coefficients.keys()
            self.optimizer.zero_grad()
            scaled = {name: coefficients[name] * loss for name, loss in losses.items()}
            loss = backward(scaled, self.model.config.gradients, parts)
            self._average(loss)
            norm = nn.utils.get_total_norm(_gradients(groups.values()))
            norm_apart = nn.utils.get_total_norm(_gradients([apart]))
            if not torch.isfinite(loss + norm + norm_apart):
                self._skip(loss.item(), norm.item())
                skipped += 1
                continue
            self._skipped = 0
            # Fused Adam divides the gradients by this while it reads them, which saves a pass.
            scale = (norm / config.max_grad_norm).clamp(min=1.0)
            self.optimizer.grad_scale = scale  # pyright: ignore[reportAttributeAccessIssue]
            for gradient in _gradients([apart]):  # nobody else's gradient is in their way
                gradient *= scale
            self.optimizer.step()
            row = {f"loss/{name}": value for name, value in losses.items()}
            row |= metrics | {"gradients/norm": norm}
            names = list(row)
            history.append(torch.stack([value.detach() for value in row.values()]))
        if steps < config.normalizer_steps:
            # After learning: the rollout was acted with the statistics as they were. Frames beside
            # each other are so alike that one in four tells as much.
            frames = rollout.frames[rollout.stack :: rollout.stack]
            self.fit_normalizer(frames.flatten(0, 1))
        # If all minibatches were skipped there is nothing to tell of them.
        means = cast(list[float], torch.stack(history).mean(dim=0).tolist()) if history else []
        return dict(zip(names, means, strict=True)) | {
            "gradients/skipped": skipped,
            "policy/learning_rate": learning_rate,
            "value/explained_variance": explained.item(),
            "artifacts/frames": rollout.has_artifact.float().mean().item(),
        }

    def fit_normalizer(self, frames: Tensor) -> None:
        """Take frames (B, H, W) uint8 of every rank into the mean image."""
        found = self.ranks.gather(frames)
        self.model.autoencoder.fit_normalizer(torch.cat(found) if len(found) > 1 else frames)

    def _moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over all ranks."""
        if self.ranks.size == 1:
            return values.mean(), values.std()
        mean = values.mean()
        self.ranks.average([mean])
        variance = (values - mean).square().mean()
        self.ranks.average([variance])
        count = values.numel() * self.ranks.size
        return mean, (variance * count / (count - 1)).sqrt()

    def _shared(self, drawing: AutoencoderLoss) -> Tensor:
        """Loss of the reconstruction whose mean over all ranks is that of one with all batches."""
        if self.ranks.size == 1 or drawing.weight is None:
            return drawing.reconstruction
        mean = drawing.weight.clone()
        self.ranks.average([mean])
        return drawing.reconstruction * (drawing.weight / mean)

    def _average(self, loss: Tensor) -> None:
        """Give every rank the mean of all gradients; what is not finite on one is so on all."""
        if self.ranks.size == 1:
            return
        gradients: list[Tensor] = []
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        self.ranks.average([*gradients, loss])

    def _skip(self, loss: float, norm: float) -> None:
        self._skipped += 1
        if self._skipped >= self.config.max_skipped:
            raise NonFiniteLossError(
                f"{self._skipped} minibatches in a row had a loss or gradient that is not finite, "
                f"at last loss {loss} and gradient norm {norm}"
            )

    def _losses(self, batch: Minibatch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses by name, and metrics by tag, of one minibatch."""
        policy, value, latent = self.model(batch.obs, batch.gauges, batch.tracks)
        log_probs = policy.log_prob(batch.actions)
        entropy = policy.entropy().mean()
        count = len(batch.regions)
        std = self.model.returns.std
        drawing = self._draw(latent[:count], batch)
        losses = {
            "policy": clipped_policy_loss(
                log_probs, batch.old_log_probs, batch.advantages, self.config.clip
            ),
            "value": value_loss(value / std, batch.returns / std),
            "entropy": -entropy,
            "reconstruction": self._shared(drawing),
            "artifacts": drawing.artifacts,
        }
        with torch.no_grad():
            log_ratio = log_probs - batch.old_log_probs
            change = log_ratio.exp() - 1
            metrics = {
                "policy/entropy": entropy,
                "policy/kl": (change - log_ratio).mean(),
                "policy/clip_fraction": change.abs().gt(self.config.clip).float().mean(),
                "loss/reconstruction_unweighted": drawing.unweighted,
            }
        return losses, metrics

    def _draw(self, latent: Tensor, batch: Minibatch) -> AutoencoderLoss:
        """What the autoencoder loses of the first D observations, (D, Z); maybe when perturbed."""
        count, autoencoder = len(latent), self.model.autoencoder
        if not count:  # all of it is held out
            nothing = latent.sum()
            return AutoencoderLoss(nothing, nothing, nothing)
        obs, regions = batch.obs[:count], batch.regions
        if self.config.perturbation.is_on:
            shown, obs, regions = perturb(obs, regions, self.config.perturbation)
            latent = self.model.encode(shown, batch.gauges[:count], batch.tracks[:count])
        return autoencoder.loss(latent, obs, regions, self.weights)


def _gradients(groups: Iterable[list[nn.Parameter]]) -> list[Tensor]:
    """Of all parameters that have any."""
    parameters = (parameter for group in groups for parameter in group)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
