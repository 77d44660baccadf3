"""What an agent is told beyond the score: what a hit costs, and what leads onward."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from settings import Checked, Within


@dataclass(frozen=True)
class CreditConfig(Checked):
    """Factors of what the screen's gauges tell, in units of the learner's rewards; 0 is off.

    Reported scores are always the game's own.
    """

    damage: Annotated[float, Within(0, 10**6)] = 30.0
    """What the loss of the whole health costs, if enemies took it."""
    opponent: Annotated[float, Within(0, 10**6)] = 0.0
    """What it pays to take the whole energy of a boss."""
    way: Annotated[float, Within(0, 10**6)] = 0.0
    """What it pays to walk through a whole stage; the way back costs the same."""
    damage_warm_up: Annotated[float, Within(0, 1)] = 0.3
    """Share of the training over which the cost of damage grows from 0 to ``damage``. Who learns to
    fear hits before he can fight may stay at the wall where a game begins. A resumption with more
    total steps continues on the longer line, where the cost may be lower again."""


NUM_CHANGES = 3
"""Numbers that tell what has happened in a step beside the score, one for each factor."""


def credit(changes: Tensor, config: CreditConfig, progress: float) -> Tensor:
    """Rewards for what has happened beside the score.

    Args:
        changes: (..., 3): shares of the health that enemies took, of the energy that the boss lost
            and of the way that was gone.
        config: Their factors.
        progress: Share of the training that is done, 0 to 1.

    Returns:
        (...) float32.
    """
    warm = min(1.0, progress / config.damage_warm_up) if config.damage_warm_up else 1.0
    factors = [-warm * config.damage, config.opponent, config.way]
    return changes @ changes.new_tensor(factors)
