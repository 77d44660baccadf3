"""How far a run is and how it has done lately."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agent.collector import Episode

RECENT_GAMES = 50
"""Finished games whose mean score stands for the present policy."""
RECENT_UPDATES = 20
"""Updates whose mean artifact recall and ghost rate stand for the present encoder."""


@dataclass
class RunStatistics:
    """Saved with every checkpoint, so that a resumed run counts on."""

    steps: int = 0
    updates: int = 0
    episodes: int = 0
    seconds: float = 0.0
    """Training time without evaluation, over all resumptions."""
    best: float | None = None
    """Mean score of the recent games at the best checkpoint; None before there is one."""
    recent: deque[float] = field(default_factory=deque[float])
    """Raw scores of the last finished games."""
    recall: deque[float] = field(default_factory=deque[float])
    """Artifact recall of the last updates whose frames had any."""
    ghost_rate: deque[float] = field(default_factory=deque[float])
    """Artifact ghost rate of the last updates."""

    def __post_init__(self) -> None:
        """Give every window its maximal length, which JSON does not hold."""
        self.recent = deque(self.recent, RECENT_GAMES)
        self.recall = deque(self.recall, RECENT_UPDATES)
        self.ghost_rate = deque(self.ghost_rate, RECENT_UPDATES)

    def update(
        self, steps: int, seconds: float, episodes: list[Episode], fidelity: Mapping[str, float]
    ) -> dict[str, float]:
        """Take in one update of the agent; returns its metrics by tag.

        Args:
            steps: Agent steps of the update.
            seconds: Time that it took.
            episodes: Those that ended in it.
            fidelity: As ``artifact_fidelity`` returns it.
        """
        self.steps += steps
        self.updates += 1
        self.seconds += seconds
        self.episodes += len(episodes)
        self.recent.extend(episode.score for episode in episodes)
        for name, recent in (("recall", self.recall), ("ghost_rate", self.ghost_rate)):
            if f"artifacts/{name}" in fidelity:
                recent.append(fidelity[f"artifacts/{name}"])
        metrics = {"speed/steps_per_second": steps / seconds, **fidelity}
        if episodes:
            metrics["episode/return"] = float(np.mean([episode.score for episode in episodes]))
            metrics["episode/length"] = float(np.mean([episode.length for episode in episodes]))
        if self.recent:
            metrics["episode/return_recent"] = float(np.mean(self.recent))
        if self.recall:
            metrics["artifacts/recall_recent"] = float(np.mean(self.recall))
        return metrics

    def better_score(self) -> float | None:
        """The mean score of a full window of recent games, if it is above the best so far.

        One lucky game is no evidence: before the window is full nothing is better.
        """
        if len(self.recent) < RECENT_GAMES:
            return None
        score = float(np.mean(self.recent))
        return score if self.best is None or score > self.best else None

    def final_fidelity(self) -> dict[str, float | None]:
        """Mean ``artifact_recall`` and ``artifact_ghost_rate`` of the recent updates, or None."""
        return {
            "artifact_recall": float(np.mean(self.recall)) if self.recall else None,
            "artifact_ghost_rate": float(np.mean(self.ghost_rate)) if self.ghost_rate else None,
        }
