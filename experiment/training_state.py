"""What of a training goes into a checkpoint and comes back."""

import torch

from agent.actor_critic import ActorCritic
from agent.ppo import PPO
from agent.ranks import Ranks
from agent.threads import in_parallel
from encoders import make_finder
from envs import Projection, calibrate, game_of
from experiment.checkpoint import Checkpoint, capture, restore, restore_model
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.model import make_model
from experiment.run_directory import RunDirectory, load_checkpoint
from experiment.run_statistics import RunStatistics
from experiment.sources import training_sources
from experiment.weights_file import weights_file
from settings import to_json


def check_start(config: TrainConfig) -> None:
    """Find out before anything is written whether a new training can begin.

    Raises:
        CheckpointError: If the given autoencoder does not fit.
        UserError: If there can be no such network for the game, or no weights for its backbone.
    """
    model, pretrained = _make_model(config), _pretrained(config)
    _begin(config, model, pretrained)


class TrainingState:
    """Model, optimizer, statistics and projection of a run."""

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        run: RunDirectory,
        resumed: Checkpoint | None,
        ranks: Ranks | None = None,
    ) -> None:
        """Make everything, anew or as ``resumed`` left it; torch's random state too.

        All ``ranks`` begin with what the first one has, but for the random state.

        Raises:
            CheckpointError: If the checkpoint, or that of the autoencoder, does not fit.
            UserError: If the game has a shape or colours that cannot be used.
        """
        torch.manual_seed(config.seed)
        self._config, self._run = config, run
        self.ranks = ranks or Ranks()
        self.resumed = resumed
        self.model = _make_model(config).to(device)
        pretrained = _pretrained(config) if self.ranks.first and not resumed else None
        self.projection = self.ranks.led(lambda: _projection(config, resumed or pretrained))
        self.ppo = PPO(self.model, config.ppo, config.weights, config.credit, self.ranks)
        self.finder = make_finder(config.detector, self.projection)
        self.model.autoencoder.finder = self.finder
        if resumed:
            resumed.check_made_with(training_sources(config.env, self.finder))
            self.statistics = resumed.read(RunStatistics, "statistics")
            self.statistics.best = run.best_score()  # this checkpoint may be older or newer
            restore(resumed, self.model, self.ppo.optimizer)
        else:
            self.statistics = RunStatistics()
            if self.ranks.first:
                _begin(config, self.model, pretrained)
        self.ranks.begin_alike(self.model)
        if self.ranks.rank:
            torch.manual_seed(config.game_seed(self.statistics.updates, self.ranks.rank))
        self._saved = self.statistics.steps if resumed else None

    def save(self) -> None:
        """Write a checkpoint, and the best one if it is; nothing if nothing was learned since.

        Only the first rank writes.

        Raises:
            SaveError: If one cannot be written; names the latest checkpoint that is there.
        """
        if self.statistics.steps == self._saved or not self.ranks.first:
            return
        state = {
            "config": to_json(self._config),
            "projection": to_json(self.projection),
            "sources": training_sources(self._config.env, self.finder),
        }
        self._run.save(capture(self.model, self.ppo.optimizer), state, self.statistics)
        self._saved = self.statistics.steps


def _projection(config: TrainConfig, known: Checkpoint | None) -> Projection:
    """That of a checkpoint, or one that is fitted to random play."""
    if known:
        return known.read(Projection, "projection")
    seed = config.game_seed(0)
    try:
        (projection,) = in_parallel([lambda _: calibrate(config.env, seed)])
    except ValueError as error:
        raise _untrainable(config, error) from error
    return projection


def _make_model(config: TrainConfig) -> ActorCritic:
    try:
        return make_model(config)
    except ValueError as error:
        raise _untrainable(config, error) from error


def _untrainable(config: TrainConfig, error: ValueError) -> UserError:
    return UserError(f"{game_of(config.env).title} cannot be trained: {error}")


def _pretrained(config: TrainConfig) -> Checkpoint | None:
    """Whose autoencoder a training begins with; it must have seen the same game."""
    if not config.autoencoder_from:
        return None
    checkpoint = load_checkpoint(config.autoencoder_from)
    finder = make_finder(config.detector, checkpoint.read(Projection, "projection"))
    checkpoint.check_made_with(training_sources(config.env, finder))
    return checkpoint


def _begin(config: TrainConfig, model: ActorCritic, pretrained: Checkpoint | None) -> None:
    """Give a fresh network the weights that a training begins with."""
    if pretrained:
        restore_model(pretrained, model.autoencoder, "model.autoencoder")
    if config.backbone_weights:
        try:
            model.autoencoder.encoder.load_backbone(weights_file(config.backbone_weights))
        except ValueError as error:
            raise UserError(f"backbone_weights: {error}") from error
