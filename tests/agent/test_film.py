"""Films of a game: what is in them, and what they leave alone."""

import numpy as np
import pytest
import torch

from agent import film as films
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.film import film
from agent.pictures import HEADER, SCALE
from agent.seen import SeenGame
from encoders import (
    ArtifactDetector,
    ArtifactDetectorConfig,
    ArtifactWeightsConfig,
    EncoderConfig,
)
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, CountingGame


def make_model() -> ActorCritic:
    torch.manual_seed(0)
    config = ActorCriticConfig(encoder=EncoderConfig(channels=(4, 4)))
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)


def see(game: CountingGame, model: ActorCritic) -> SeenGame:
    detector = ArtifactDetector(ArtifactDetectorConfig())
    return SeenGame(game, model, detector, ArtifactWeightsConfig())


@pytest.fixture(autouse=True)
def lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "LENGTH", 6)
    monkeypatch.setattr(films, "PATIENCE", 20)


def ages(game: CountingGame, seed: int = 0) -> list[int]:
    """The steps that a film of ``game`` shows."""
    model = make_model()
    seen = SeenGame(
        game, model, ArtifactDetector(ArtifactDetectorConfig()), ArtifactWeightsConfig()
    )
    return [int(picture[HEADER, 0, 0]) for picture in film(seen, model, seed)]


def test_it_begins_when_an_artifact_comes_into_view():
    assert ages(CountingGame(100, artifact_at=9)) == [10, 12, 14, 16, 18, 20]


def test_it_begins_without_one_when_it_has_waited_long_enough():
    assert ages(CountingGame(100)) == [20, 22, 24, 26, 28, 30]


def test_it_ends_with_the_game_and_is_never_empty():
    assert ages(CountingGame(14, artifact_at=9)) == [10, 12]
    assert ages(CountingGame(5)) == [5]


def test_it_leaves_the_training_alone():
    # Neither the global random state nor the parameters change, and no gradient is kept.
    model, game = make_model(), CountingGame(40)
    seen = SeenGame(
        game, model, ArtifactDetector(ArtifactDetectorConfig()), ArtifactWeightsConfig()
    )
    state = torch.get_rng_state()
    film(seen, model, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert game.seeds == [3]


def test_the_same_seed_gives_the_same_actions_and_another_one_others():
    totals = []
    for seed in (3, 3, 4):
        game = CountingGame(60)
        film(see(game, make_model()), make_model(), seed)
        totals.append(game.total)
    assert totals[0] == totals[1] != totals[2]


def test_a_seen_game_shows_its_newest_frame_and_what_the_model_draws_of_it():
    game, model = CountingGame(30, artifact_at=1), make_model()
    seen = see(game, model)
    obs, _ = seen.reset(seed=0)
    for _ in range(3):
        obs, *_ = seen.step(1)
    drawn = model.reconstruct(torch.from_numpy(obs[None]))[0, -1].numpy()
    assert (drawn != obs[-1]).any()
    height, width = OBS_SHAPE[1] * SCALE, OBS_SHAPE[2] * SCALE
    shown = seen.render()[:, -width:, 0]
    observation = shown[HEADER : HEADER + height : SCALE, ::SCALE]
    top = 2 * HEADER + height
    reconstruction = shown[top : top + height : SCALE, ::SCALE]
    np.testing.assert_array_equal(observation, obs[-1])
    np.testing.assert_array_equal(reconstruction, drawn)


def test_a_seen_game_shows_weights_on_one_scale():
    # A frame without artifacts is dark, a knife's region is bright, whatever else is in view.
    game, model = CountingGame(10, artifact_at=1), make_model()
    seen = SeenGame(
        game, model, ArtifactDetector(ArtifactDetectorConfig()), ArtifactWeightsConfig()
    )
    height, width = (OBS_SHAPE[1] * SCALE, OBS_SHAPE[2] * SCALE)
    top = 3 * HEADER + 2 * height
    seen.reset(seed=0)
    empty = seen.render()[top : top + height, -width:].sum(axis=2, dtype=int)
    assert not seen.sees_artifact
    seen.step(0)
    knife = seen.render()[top : top + height, -width:].sum(axis=2, dtype=int)
    assert seen.sees_artifact
    assert empty.max() < 100
    assert knife[9 * SCALE, 12 * SCALE] > 600
    assert knife[-1, -1] > empty[-1, -1]
    assert seen.render().dtype == np.uint8
