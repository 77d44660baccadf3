"""What the gauges of a game tell of a rollout."""

from collections.abc import Sequence

from torch import Tensor

from agent.actor_critic import STAGE
from agent.rollout import Rollout
from envs.gauge_reader import CHANGES
from envs.gauges import CLOCK, HEALTH, OPPONENT


def gauge_metrics(rollout: Rollout, names: Sequence[str]) -> dict[str, float]:
    """Metrics by TensorBoard tag.

    Means of the gauges (of a stage's gauge that is the share of steps on it), the highest stage,
    what 1,000 steps have changed, and how many lives ended in them, by the clock or by enemies.

    Args:
        rollout: With gauges (T, N, G).
        names: Of the G gauges.
    """
    if not names:
        return {}
    shown = dict(zip(names, rollout.gauges.unbind(dim=2), strict=True))
    changes = rollout.changes.mean(dim=(0, 1)) * 1000
    metrics = {f"gauges/{name}": values.mean() for name, values in shown.items()}
    metrics |= {f"changes/{name}": value for name, value in zip(CHANGES, changes, strict=True)}
    metrics |= _deaths(shown)
    stages = [values for name, values in shown.items() if name.startswith(STAGE)]
    reached = [number for number, values in enumerate(stages, 1) if values.any()]
    found = {tag: value.item() for tag, value in metrics.items()}
    return found | ({"gauges/highest_stage": float(max(reached))} if reached else {})


def _deaths(shown: dict[str, Tensor]) -> dict[str, Tensor]:
    """Ends of lives in 1,000 steps, by cause; nothing if the game shows no health.

    A beaten boss (an empty bar of the opponent) ends no life.
    """
    if HEALTH not in shown:
        return {}
    health = shown[HEALTH]
    ended = (health[:-1] > 0) & (health[1:] == 0)
    if OPPONENT in shown:
        ended &= shown[OPPONENT][1:] > 0
    late = shown[CLOCK][1:] == 0 if CLOCK in shown else ended & False
    counts = {"time": ended & late, "enemies": ended & ~late}
    return {
        f"deaths/{cause}": count.sum() * 1000 / health.numel() for cause, count in counts.items()
    }
