"""What of a training goes into a checkpoint and comes back."""

import torch

from agent.ppo import PPO
from agent.threads import in_parallel
from encoders import make_finder
from envs import Projection, calibrate, game_of
from experiment.checkpoint import Checkpoint, capture, restore
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.model import make_model
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics
from experiment.sources import training_sources
from settings import to_json


class TrainingState:
    """Model, optimizer, statistics and projection of a run."""

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        run: RunDirectory,
        resumed: Checkpoint | None,
    ) -> None:
        """Make everything, anew or as ``resumed`` left it; torch's random state too.

        Raises:
            CheckpointError: If the checkpoint does not fit.
            UserError: If the game has a shape or colours that cannot be used.
        """
        torch.manual_seed(config.seed)
        self._config, self._run = config, run
        self.resumed = resumed
        projection = resumed.read(Projection, "projection") if resumed else None
        try:
            self.model = make_model(config).to(device)
            if not projection:
                seed = config.game_seed(0)
                (projection,) = in_parallel([lambda _: calibrate(config.env, seed)])
            self.projection = projection
        except ValueError as error:
            raise UserError(f"{game_of(config.env).title} cannot be trained: {error}") from error
        self.ppo = PPO(self.model, config.ppo, config.weights, config.credit)
        self.finder = make_finder(config.detector, self.projection)
        self.model.autoencoder.finder = self.finder
        if resumed:
            resumed.check_made_with(training_sources(config.env, self.finder))
            self.statistics = resumed.read(RunStatistics, "statistics")
            self.statistics.best = run.best_score()  # this checkpoint may be older or newer
            restore(resumed, self.model, self.ppo.optimizer)
        else:
            self.statistics = RunStatistics()
        self._saved = self.statistics.steps if resumed else None

    def save(self) -> None:
        """Write a checkpoint, and the best one if it is; nothing if nothing was learned since.

        Raises:
            SaveError: If one cannot be written; names the latest checkpoint that is there.
        """
        if self.statistics.steps == self._saved:
            return
        state = {
            "config": to_json(self._config),
            "projection": to_json(self.projection),
            "sources": training_sources(self._config.env, self.finder),
        }
        self._run.save(capture(self.model, self.ppo.optimizer), state, self.statistics)
        self._saved = self.statistics.steps
