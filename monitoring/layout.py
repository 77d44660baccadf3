"""How TensorBoard lays out a run: charts in the order in which one reads them."""

LAYOUT: dict[str, dict[str, list[str]]] = {
    "Learning": {
        "score": ["episode/return_recent", "episode/return$"],
        "length of games": ["episode/length"],
        "entropy of the policy": ["policy/entropy"],
        "change of the policy": ["policy/kl", "policy/clip_fraction"],
        "losses of actor and critic": ["loss/policy", "loss/value"],
        "explained variance of the value": ["value/explained_variance"],
    },
    "Reconstruction": {
        "error": [
            "loss/reconstruction$",
            "loss/reconstruction_unweighted",
            "validation/reconstruction",
        ],
        "effective rank of the latent": ["latent/effective_rank"],
        "dead units": ["latent/dead_units"],
        "saturated activations": ["latent/saturated"],
    },
    "Artifacts": {
        "kept, and ghosts": [
            "artifacts/recall$",
            "artifacts/ghost_rate",
            "validation/recall",
            "validation/ghost_rate",
        ],
        "loss of locator and sprites": ["loss/artifacts"],
        "frames with an artifact": ["artifacts/frames"],
    },
    "The game": {
        "health lost to enemies in 1,000 steps": ["changes/damage"],
        "lives ended in 1,000 steps": ["deaths/time", "deaths/enemies"],
        "progress in 1,000 steps": ["changes/way", "changes/opponent"],
        "share of steps on each stage": ["gauges/stage_"],
        "highest stage": ["gauges/highest_stage"],
        "gauges": ["gauges/health", "gauges/clock", "gauges/way", "gauges/lives"],
    },
    "Speed": {
        "agent steps per second": ["speed/steps_per_second"],
        "gradient norm": ["gradients/norm"],
        "minibatches skipped": ["gradients/skipped"],
        "learning rate": ["policy/learning_rate"],
    },
}
"""Categories, their charts, and the tags (regular expressions) in each."""


def custom_scalars() -> dict[str, dict[str, list[object]]]:
    """The layout in the form that ``torch.utils.tensorboard.summary`` takes."""
    return {
        category: {title: ["Multiline", tags] for title, tags in charts.items()}
        for category, charts in LAYOUT.items()
    }
