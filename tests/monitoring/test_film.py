"""Films of a game: what is in them, and what they leave alone."""

import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from encoders import (
    ArtifactDetectorConfig,
    ArtifactWeightsConfig,
    AutoencoderConfig,
    EncoderConfig,
    make_finder,
)
from monitoring import film as films
from monitoring.agent_view import AgentView
from monitoring.film import film_rate, gif, record_film
from monitoring.pictures import HEADER, SCALE
from tests.agent.dummy import (
    NUM_ACTIONS,
    OBS_SHAPE,
    STAGES,
    CountingGame,
    StagedGame,
    obey_the_stage,
)


def make_model(gauges: tuple[str, ...] = ()) -> ActorCritic:
    torch.manual_seed(0)
    config = ActorCriticConfig(AutoencoderConfig(EncoderConfig(channels=(4, 4))))
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, gauges)


def see(game: CountingGame, model: ActorCritic) -> AgentView:
    finder = make_finder(ArtifactDetectorConfig())
    return AgentView(game, model, finder, ArtifactWeightsConfig())


@pytest.fixture(autouse=True)
def lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "LENGTH", 6)
    monkeypatch.setattr(films, "PATIENCE", 20)


def ages(game: CountingGame, seed: int = 0) -> list[int]:
    """The steps that a film of ``game`` shows."""
    model = make_model()
    view = see(game, model)
    return [int(picture[HEADER, 0, 0]) for picture in record_film(view, model, seed)]


def test_it_begins_when_an_artifact_comes_into_view():
    assert ages(CountingGame(100, artifact_at=9)) == [10, 12, 14, 16, 18, 20]


def test_it_begins_without_one_when_none_came_for_long():
    assert ages(CountingGame(100)) == [20, 22, 24, 26, 28, 30]


def test_it_ends_with_the_game_and_is_never_empty():
    assert ages(CountingGame(14, artifact_at=9)) == [10, 12]
    assert ages(CountingGame(5)) == [5]


def test_it_leaves_the_training_alone():
    # Neither the global random state nor the parameters change, and no gradient is kept.
    model, game = make_model(), CountingGame(40)
    view = see(game, model)
    state = torch.get_rng_state()
    record_film(view, model, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert game.seeds == [3]


def test_the_actor_is_told_the_gauges_of_the_present_step():
    model, game = make_model(STAGES), StagedGame(20)
    obey_the_stage(model)
    record_film(see(game, model), model, seed=0)
    assert set(game.acted) == {(1, 2), (2, 0)}


def test_the_same_seed_gives_the_same_actions_and_another_one_others():
    totals = []
    for seed in (3, 3, 4):
        game = CountingGame(60)
        record_film(see(game, make_model()), make_model(), seed)
        totals.append(game.total)
    assert totals[0] == totals[1] != totals[2]


def test_a_view_shows_its_newest_frame_and_what_the_model_draws_of_it():
    game, model = CountingGame(30, artifact_at=1), make_model()
    view = see(game, model)
    obs, _ = view.reset(seed=0)
    for _ in range(3):
        obs, *_ = view.step(1)
    drawn = model.autoencoder.reconstruct(torch.from_numpy(obs[None]))[0, -1].numpy()
    assert (drawn != obs[-1]).any()
    height, width = OBS_SHAPE[1] * SCALE, OBS_SHAPE[2] * SCALE
    shown = view.render()[:, -width:, 0]
    observation = shown[HEADER : HEADER + height : SCALE, ::SCALE]
    top = 2 * HEADER + height
    reconstruction = shown[top : top + height : SCALE, ::SCALE]
    np.testing.assert_array_equal(observation, obs[-1])
    np.testing.assert_array_equal(reconstruction, drawn)


def test_a_view_shows_weights_on_one_scale():
    # A frame without artifacts is dark, a knife's region is bright, whatever else is in view.
    game, model = CountingGame(10, artifact_at=1), make_model()
    view = see(game, model)
    height, width = (OBS_SHAPE[1] * SCALE, OBS_SHAPE[2] * SCALE)
    top = 3 * HEADER + 2 * height
    view.reset(seed=0)
    empty = view.render()[top : top + height, -width:].sum(axis=2, dtype=int)
    assert not view.has_artifact
    view.step(0)
    knife = view.render()[top : top + height, -width:].sum(axis=2, dtype=int)
    assert view.has_artifact
    assert empty.max() < 100
    assert knife[9 * SCALE, 12 * SCALE] > 600
    assert knife[-1, -1] > empty[-1, -1]
    assert view.render().dtype == np.uint8


@pytest.mark.parametrize("frameskip", [1, 4, 15])
def test_a_film_is_as_fast_as_the_game(frameskip: int):
    # A second of the game is 60 emulator frames, whatever number of them is a step.
    game = CountingGame(40, artifact_at=2)
    game.metadata = {**game.metadata, "render_fps": 60 / frameskip}
    view = see(game, make_model())
    pictures = record_film(view, make_model(), seed=0)
    emulator_frames = films.STRIDE * frameskip * len(pictures)
    seconds = len(pictures) / film_rate(view)
    assert seconds == pytest.approx(emulator_frames / 60)
    content = gif(pictures, film_rate(view))
    # Pictures that are alike may have become one, which is shown as long as they are together.
    count = imageio.improps(content, index=...).n_images
    shown = sum(imageio.immeta(content, index=n)["duration"] for n in range(count or 0))
    assert shown / len(pictures) == pytest.approx(1000 / film_rate(view), abs=10)


def test_a_gif_holds_the_pictures_and_no_player_is_asked_for_more_than_it_can():
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 32, (20, 3)) * 255 // 31  # five bits a channel
    pictures = list(palette[rng.integers(0, 20, (3, 40, 60))].astype(np.uint8))
    pictures = [picture.repeat(2, axis=0).repeat(2, axis=1) for picture in pictures]
    content = gif(pictures, 1000.0)
    assert imageio.immeta(content, index=0)["duration"] == 20
    shown = imageio.imread(content, index=None)[..., :3]
    np.testing.assert_array_equal(shown, np.stack(pictures))
