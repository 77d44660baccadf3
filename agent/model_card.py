"""What a deployed policy's README.md says, in the form that the Hugging Face Hub reads."""

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from agent.deployed_config import DeployedConfig, EvaluationFacts

ENV_ID = "knifesight/KungFuMaster-v0"
TAGS = [
    ENV_ID, "reinforcement-learning", "deep-reinforcement-learning", "atari", "kung-fu-master",
    "actor-critic", "autoencoder", "pytorch_model_hub_mixin",
]  # fmt: skip
"""By which the Hub finds it; the first is the environment, as is usual there."""


def model_card(config: DeployedConfig) -> ModelCard:
    """Write the card of a policy with this config."""
    data = ModelCardData(
        library_name="knifesight",
        license="mit",
        pipeline_tag="reinforcement-learning",
        tags=TAGS,
    )
    if config.evaluation:
        data.model_name = f"Knifesight {config.training.algorithm.upper()}"
        data.eval_results = [_score(config.evaluation)]
    # A template's variables are those of the header and these.
    return ModelCard.from_template(data, template_str=TEMPLATE, env_id=ENV_ID, **vars(config))


def _score(evaluation: EvaluationFacts) -> EvalResult:
    """The score as the Hub's leaderboards read it."""
    return EvalResult(
        task_type="reinforcement-learning",
        task_name="reinforcement-learning",
        dataset_type=ENV_ID,
        dataset_name=ENV_ID,
        metric_type="mean_reward",
        metric_name="mean_reward",
        metric_value=f"{evaluation.mean:.2f} +/- {evaluation.std:.2f}",
    )


TEMPLATE = """---
{{ card_data }}
---
{%- set units = model.encoder.latent_dim %}
{%- set shape = obs_shape | join(", ") %}
{%- set background = projection.background | map("join", ", ") | join("; ") %}
{%- set artifacts = projection.artifacts | map("join", ", ") | join("; ") or "none" %}

# Knifesight: Kung-Fu Master

An actor-critic for Atari Kung-Fu Master whose encoder is also an autoencoder. Actor and critic see
{{ units }} numbers, from which a decoder draws the last four frames back, thrown knives included.

## Score

{% if evaluation -%}
In {{ evaluation.episodes }} whole games (seed {{ evaluation.seed }}, sampled policy, the protocol
below) the mean raw score was **{{ "{:,.0f}".format(evaluation.mean) }}**, with a 95 % interval from
{{ "{:,.0f}".format(evaluation.ci95[0]) }} to {{ "{:,.0f}".format(evaluation.ci95[1]) }} and a
standard deviation of {{ "{:,.0f}".format(evaluation.std) }} between games. A human scores 22,736,
random play 258.5 (Wang et al. 2016).
{%- else -%}
This policy has not been judged on whole games, so no score is given.
{%- endif %}

## Let it play

The code needs the Python package knifesight: `pip install -e ".[interop]"` in its repository.

```python
import cattrs
import gymnasium
import torch

from agent.deployed import DeployedPolicy
from envs import EnvConfig, Projection

policy = DeployedPolicy.from_pretrained(".")  # this directory; or its name on the Hub
game = gymnasium.make(
    "envs:{{ env_id }}",
    projection=cattrs.structure(policy.config.projection, Projection),
    config=cattrs.structure(policy.config.env, EnvConfig),
)
obs, _ = game.reset(seed=0)
score, over = 0.0, False
while not over:
    with torch.no_grad():
        output = policy(torch.from_numpy(obs[None]))
    action = int(torch.multinomial(output.probabilities, 1))
    obs, reward, terminated, truncated, _ = game.step(action)
    score, over = score + float(reward), terminated or truncated
print(f"score: {score:.0f}")
```

## What goes in

`obs`, uint8 of shape (batch, {{ shape }}): the game after each of the last four agent steps, oldest
first; at the start of a game its first frame four times. Of the native screen, 210 x 160 RGB, take
rows 96 to 159 and columns 8 to 151, and give every pixel a level by its colour. Nothing is resized.

| colour (red, green, blue) | level |
|---|---|
| background: {{ background }} | 128 |
| small things that fly alone: {{ artifacts }} | 255 |
| any other | 68 x (red + 2 x green) / 765, rounded |

The protocol of the games:

- emulator frames to an agent step: {{ env.frameskip }}
- chance in each of them that the previous action is repeated: {{ env.repeat_action_probability }}
- emulator frames to a game at most: {{ "{:,}".format(env.max_episode_frames) }}

## What comes out

All of it is float32.

| name | shape | meaning |
|---|---|---|
| `probabilities` | (batch, {{ num_actions }}) | of the actions of `ALE/KungFuMaster-v5` |
| `value` | (batch,) | what the critic expects: discounted rewards as the training saw them |
| `latent` | (batch, {{ units }}) | what actor, critic and decoder see, from -1 to 1 |
| `reconstruction` | (batch, {{ shape }}) | `obs` as the decoder draws it, levels 0 to 255 |

The policy was trained and judged with actions drawn from the probabilities, not with the likeliest.

## How it was trained

{{ training.algorithm.upper() }} with a reconstruction loss on the shared encoder, from scratch and
on this game alone. An OpenCV convolution finds small things that fly alone, and their pixels weigh
more in that loss.

- agent steps: {{ "{:,}".format(training.steps) }}
- minutes: {{ "{:.1f}".format(training.seconds / 60) }}
- seed: {{ training.seed }}
- rewards: score times {{ training.reward_scale }}, cut to {{ training.reward_clip | join(" to ") }}
- weight of small things: {{ "{:g}".format(training.artifact_weight) }}, of all else 1 or less
{%- if training.artifact_recall is not none %}
- kept by the reconstruction, at the end: the small things of
  {{ "{:.1f}".format(100 * training.artifact_recall) }} % of the frames that had any
{%- endif %}

## Limits

It knows one game, and only observations that are made as above. Its arithmetic is float32; if the
training's was bfloat16, probabilities differ a little from the training's own.
"""
