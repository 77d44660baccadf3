"""Saves a run: its state, whenever it is asked to, and the best state so far."""

from pathlib import Path
from typing import Any

import cattrs
import numpy as np
import torch

from agent import checkpoint as checkpoints
from agent.actor_critic import ActorCritic
from agent.checkpoint import CheckpointError, SaveError
from agent.counters import Counters


class Saver:
    """Writes a run's state into its checkpoints."""

    def __init__(
        self,
        run_dir: Path,
        fixed: dict[str, Any],
        model: ActorCritic,
        optimizer: torch.optim.Optimizer,
        counters: Counters,
        latest: Path | None,
    ) -> None:
        """Prepare to save.

        Args:
            run_dir: Directory of the run.
            fixed: The state that a training does not change, as JSON knows it.
            model: Saved with ``optimizer``.
            optimizer: Its moments are saved.
            counters: Of the training; its ``best`` is kept here.
            latest: The checkpoint from which the run goes on.
        """
        self._run_dir, self._fixed = run_dir, fixed
        self._model, self._optimizer, self._counters = model, optimizer, counters
        self.latest = latest
        """The newest checkpoint that is surely there."""

    def save(self) -> None:
        """Write the latest checkpoint, and the best one if it is.

        Raises:
            SaveError: If one cannot be written; names the latest checkpoint that is there.
        """
        counters = self._counters
        tensors = checkpoints.capture(self._model, self._optimizer)
        recent = float(np.mean(counters.recent)) if counters.recent else 0.0
        former_best = counters.best
        counters.best = max(former_best, recent)
        state = {**self._fixed, "counters": cattrs.unstructure(counters)}
        try:
            self.latest = checkpoints.save_numbered(self._run_dir, counters.steps, tensors, state)
            if recent > former_best:
                checkpoints.save_best(self._run_dir, tensors, state)
        except SaveError as error:
            counters.best = former_best
            kept = f"the latest checkpoint is {self.latest}" if self.latest else "none is there"
            raise SaveError(f"{error}; {kept}") from error


def best_score(run_dir: Path) -> float:
    """Of the best checkpoint that is there; 0 if there is none."""
    try:
        best = checkpoints.load(run_dir / "checkpoints" / "best.safetensors")
        return best.read(Counters, "counters").best
    except CheckpointError:
        return 0.0
