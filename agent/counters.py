"""How far a run is."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from agent.collector import Episode

RECENT_GAMES = 50
"""Finished games whose mean score stands for the present policy."""


@dataclass
class Counters:
    """Saved with every checkpoint, so that a resumed run counts on."""

    steps: int = 0
    updates: int = 0
    episodes: int = 0
    seconds: float = 0.0
    """Training time without evaluation, over all resumptions."""
    best: float = 0.0
    """Highest mean score of the recent games at a checkpoint."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_GAMES))
    """Raw scores of the last finished games."""

    def __post_init__(self) -> None:
        """A list read from a checkpoint knows no limit."""
        self.recent = deque(self.recent, RECENT_GAMES)

    def count(self, steps: int, seconds: float, episodes: list[Episode]) -> dict[str, float]:
        """Take in one update; returns its metrics by tag."""
        self.steps += steps
        self.updates += 1
        self.seconds += seconds
        self.episodes += len(episodes)
        self.recent.extend(episode.score for episode in episodes)
        metrics = {"speed/steps_per_second": steps / seconds}
        if episodes:
            metrics["episode/return"] = float(np.mean([episode.score for episode in episodes]))
            metrics["episode/length"] = float(np.mean([episode.length for episode in episodes]))
        if self.recent:
            metrics["episode/return_recent"] = float(np.mean(self.recent))
        return metrics
