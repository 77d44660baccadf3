"""What the gauges of a game tell of a rollout."""

from collections.abc import Sequence

from agent.rollout import Rollout

CHANGES = ("damage", "opponent", "way")
"""Names of a rollout's changes."""


def gauge_metrics(rollout: Rollout, names: Sequence[str]) -> dict[str, float]:
    """Metrics by TensorBoard tag: means of the gauges, and what 1,000 steps have changed.

    The mean of a stage's gauge is the share of steps on it.
    """
    if not names:
        return {}
    means = rollout.gauges.mean(dim=(0, 1))
    changes = rollout.changes.mean(dim=(0, 1)) * 1000
    return {f"gauges/{name}": value.item() for name, value in zip(names, means, strict=True)} | {
        f"changes/{name}": value.item() for name, value in zip(CHANGES, changes, strict=True)
    }
