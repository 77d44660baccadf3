"""What an exported policy's README.md says, in the form that the Hugging Face Hub reads."""

from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from interop.policy_config import EvaluationFacts, PolicyConfig

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
TAGS = [
    "reinforcement-learning", "deep-reinforcement-learning", "atari", "actor-critic",
    "autoencoder", "pytorch_model_hub_mixin",
]  # fmt: skip
"""By these the Hub finds a policy, and by the names of its environment and its game."""


def model_card(config: PolicyConfig) -> ModelCard:
    """Write the card of a policy with this config."""
    game = config.game
    data = ModelCardData(
        library_name="knifesight",
        license="mit",
        pipeline_tag="reinforcement-learning",
        tags=[game.env_id, game.rom.replace("_", "-"), *TAGS],
    )
    if config.evaluation:
        data.model_name = f"Knifesight {config.training.algorithm.upper()}"
        data.eval_results = [_score(config.evaluation, game.env_id)]
    # A template's variables are those of the header and the fields of the config.
    return ModelCard.from_template(data, template_path=str(TEMPLATE), **vars(config))


def _score(evaluation: EvaluationFacts, env_id: str) -> EvalResult:
    """The score as the Hub's leaderboards read it."""
    return EvalResult(
        task_type="reinforcement-learning",
        task_name="reinforcement-learning",
        dataset_type=env_id,
        dataset_name=env_id,
        metric_type="mean_reward",
        metric_name="mean_reward",
        metric_value=f"{evaluation.mean:.2f} +/- {evaluation.std:.2f}",
    )
