"""What a learner is told: sizes of rollouts and steps, and the factors of its losses."""

from dataclasses import dataclass, field
from typing import Annotated

from encoders import PerturbationConfig
from settings import Checked, Role, Within


@dataclass(frozen=True)
class PPOConfig(Checked):
    """Proximal policy optimisation (Schulman et al. 2017).

    A2C is the special case of one epoch over one minibatch: the ratio is then 1 everywhere and
    ``clip`` has no effect.
    """

    num_steps: Annotated[int, Within(1, 4096)] = 64
    """Agent steps of each environment in one rollout; a multiple of the four stacked frames."""
    num_epochs: Annotated[int, Within(1, 1000)] = 1
    """Passes over each rollout. One pass over many small minibatches teaches as much as two passes
    over larger ones, with half of the arithmetic."""
    num_minibatches: Annotated[int, Within(1, 2**17)] = 32
    """Parts of a rollout, one optimizer step each."""
    learning_rate: Annotated[float, Within(0, 1, above=True)] = 8e-4
    """Adam's step size for actor and critic at the start."""
    final_learning_rate: Annotated[float, Within(0, 1)] = 8e-5
    """Step size at ``--total-steps``. In between it falls linearly. A resumption with more total
    steps continues on the longer line, where the step size is higher again."""
    autoencoder_lr_factor: Annotated[float, Within(0, 1000, above=True)] = 4.0
    """Step size of encoder and decoder as a multiple of the actor's and critic's. Small artifacts
    take large steps to learn."""
    clip: Annotated[float, Within(0, 10**6, above=True)] = 0.1
    """Largest change of an action's probability ratio that is still rewarded."""
    gamma: Annotated[float, Within(0, 1)] = 0.99
    """Discount per agent step."""
    gae_lambda: Annotated[float, Within(0, 1)] = 0.9
    """Weight of longer advantage estimates."""
    normalize_advantages: bool = True
    """Shift and scale a rollout's advantages to mean 0 and standard deviation 1."""
    max_grad_norm: Annotated[float, Within(0, 10**6, above=True)] = 0.5
    """Gradients are scaled down to this global norm."""
    value_coef: Annotated[float, Within(0, 10**6)] = 0.5
    """Factor of the value loss."""
    entropy_coef: Annotated[float, Within(0, 10**6)] = 0.003
    """Factor of the entropy bonus. Three times as much keeps the policy so random that its score
    levels off."""
    reconstruction_coef: Annotated[float, Within(0, 10**6)] = 1.5
    """Factor of the reconstruction loss. With a third of it, large returns drown the artifacts."""
    autoencoder_steps: Annotated[int, Within(0, 10**12)] = 0
    """Agent steps at the start in which only the autoencoder learns, on the images of the
    untrained policy; actor and critic follow. If the reconstruction alone trains the encoder, this
    is the order "autoencoder first, then the branches on its output"."""
    max_skipped: Annotated[int, Within(1, 10**9), Role.NEUTRAL] = 100
    """A minibatch whose loss or gradient is NaN or infinite is skipped. So many in a row end the
    training. One bad value spoils a whole rollout, because advantages are normalised over it."""
    normalizer_steps: Annotated[int, Within(0, 10**12)] = 40_000
    """Agent steps at the start in which the mean image and standard deviation are fitted."""
    reward_scale: Annotated[float, Within(0, 10**6)] = 0.01
    """Learning sees the score times this factor. With 0 a training finds it: the mean size of the
    rewards in random play becomes 1. This is the default of every game but Kung-Fu Master."""
    perturbation: PerturbationConfig = field(default_factory=PerturbationConfig)
    """What is done to observations before they are encoded to be drawn."""
    reward_clip: Annotated[tuple[float, float], Within(-(10**6), 10**6)] = (-1.0, 10.0)
    """Learning sees scaled rewards cut to this range; reported scores are always raw."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if not self.reward_clip[0] < self.reward_clip[1]:
            raise ValueError(f"reward_clip must be (low, high), got {self.reward_clip}")

    def coefficients(self, steps: int) -> dict[str, float]:
        """Factor of each loss after ``steps`` agent steps; the keys are those of the losses."""
        branches = float(steps >= self.autoencoder_steps)
        return {
            "policy": branches,
            "value": branches * self.value_coef,
            "entropy": branches * self.entropy_coef,
            "reconstruction": self.reconstruction_coef,
            "artifacts": 1.0,  # these parameters learn from no other loss
        }

    def learning_rate_at(self, progress: float) -> float:
        """Step size when a share ``progress`` (0 to 1) of the training is done."""
        share = min(max(progress, 0.0), 1.0)
        return self.learning_rate + share * (self.final_learning_rate - self.learning_rate)
