"""A trained policy with all that it takes to act in other software."""

from dataclasses import asdict, replace
from typing import Any, NamedTuple, Self

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from agent.actor_critic import ActorCritic
from envs import game_of
from experiment.trained_agent import TrainedAgent
from interop.model_card import model_card
from interop.policy_config import EvaluationFacts, PolicyConfig, TrainingFacts
from settings import from_json, to_json


class PolicyOutput(NamedTuple):
    """What a policy makes of a batch of observations; the fields also name the ONNX outputs."""

    probabilities: Tensor
    """(B, A) float32, of the actions; they sum to 1."""
    value: Tensor
    """(B,) float32, expected discounted return in the units of the learner's rewards."""
    latent: Tensor
    """(B, Z) float32 in -1..1, all that actor, critic and decoder know."""
    reconstruction: Tensor
    """(B, C, H, W) float32, the observations as the decoder draws them: grey levels 0..255."""


class ExportedPolicy(nn.Module, PyTorchModelHubMixin):
    """An ActorCritic with its config; ``export_policy`` makes one that computes in float32.

    ``save_pretrained`` writes ``model.safetensors``, ``config.json`` and a model card into a
    directory; ``from_pretrained`` reads them from there or from the Hugging Face Hub.
    """

    def __init__(self, config: PolicyConfig) -> None:
        """Build with fresh weights."""
        super().__init__()
        self.config = config
        self.network = ActorCritic(
            config.game.obs_shape, config.num_actions, config.model, config.game.gauge_names
        )

    def forward(self, obs: Tensor, gauges: Tensor) -> PolicyOutput:
        """Observations (B, C, H, W) uint8 and gauges (B, G) float32 to what it makes of them."""
        policy, value, latent = self.network(obs, gauges)
        reconstruction = self.network.autoencoder.draw(latent).clamp(0, 255)
        return PolicyOutput(policy.probs, value, latent, reconstruction)

    def generate_model_card(self, *_: Any, **__: Any) -> ModelCard:
        """The card that ``save_pretrained`` writes; all it says is from the config."""
        return model_card(self.config)

    @classmethod
    def _from_pretrained(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, *, config: PolicyConfig, strict: bool = True, **arguments: Any
    ) -> Self:
        """As in the base class, but the whole config is checked and no tensor may be missing.

        The base class structures only the outermost level of a config. Without ``strict`` it passes
        over missing tensors, and a policy would be partly untrained without a word.

        Raises:
            ValueError: If a field of the config does not fit; names it.
            RuntimeError: If a tensor is missing or unknown; names it.
        """
        whole = from_json(to_json(asdict(config)), PolicyConfig)
        return super()._from_pretrained(config=whole, strict=strict, **arguments)


def export_policy(agent: TrainedAgent, evaluation: EvaluationFacts | None) -> ExportedPolicy:
    """The policy of an agent in float32, with all that others need to know of it.

    Args:
        agent: The agent.
        evaluation: How it scored; None if it was not judged.
    """
    model, game = agent.config.model, game_of(agent.config.env)
    float32 = replace(model, autoencoder=replace(model.autoencoder, bfloat16=False))
    policy = ExportedPolicy(
        PolicyConfig(
            game,
            game.screen,
            game.num_actions,
            float32,
            agent.projection,
            agent.config.env,
            TrainingFacts.of(agent),
            evaluation,
        )
    )
    policy.network.load_state_dict(agent.model.state_dict())
    return policy.eval()
