"""Judging: games that are counted fairly, the same for the same seed."""

from threading import Event

import pytest
import torch

from agent import threads
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.threads import StalledError
from encoders import AutoencoderConfig, EncoderConfig
from evaluation.games import play_games
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


def lengths(envs: list[CountingGame], games: int) -> list[int]:
    return [game.length for game in play_games(envs, make_model(), games, seed=0)]


def test_every_game_that_begins_counts_however_long_it_is():
    # Three seats in one half would be 2 and 50 and 2: two halves of two, the long one in the first.
    seats = [CountingGame(2), CountingGame(50), CountingGame(2), CountingGame(2)]
    assert lengths(seats, games=8) == [2, 50, 2, 2, 2, 2, 2, 2]
    # With more games than the short seat can begin in 50 steps, the long one plays a second.
    assert lengths([CountingGame(2), CountingGame(50)], games=60).count(50) == 30
    assert lengths([CountingGame(2), CountingGame(50), CountingGame(2)], games=60).count(50) == 2


@pytest.mark.parametrize("games", [1, 2])
def test_a_game_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, games: int):
    monkeypatch.setattr(threads, "LOOK", 0.05)
    monkeypatch.setattr(threads, "PATIENCE", 6)
    monkeypatch.setattr(threads, "FAREWELL", 0.1)
    hung = Event()

    class Hanging(CountingGame):
        def step(self, action: object) -> None:
            hung.wait(30)

    with pytest.raises(StalledError):
        play_games([Hanging(5) for _ in range(games)], make_model(), games, seed=0)
    hung.set()


def test_a_seat_rests_once_enough_games_have_begun():
    seats = [CountingGame(3), CountingGame(40)]
    assert lengths(seats, games=2) == [3, 40]
    assert [len(seat.seeds) for seat in seats] == [1, 1]


def test_halves_share_the_games():
    seats = [CountingGame(3), CountingGame(3), CountingGame(5)]
    assert lengths(seats, games=7) == [3] * 4 + [5] * 3
    assert lengths([CountingGame(4)], games=3) == [4, 4, 4]


def test_every_seat_is_seeded_once_and_differently():
    seats = [CountingGame(3), CountingGame(3), CountingGame(5)]
    play_games(seats, make_model(), games=9, seed=70)
    assert [seat.seeds[0] for seat in seats] == [70, 71, 72]
    assert all(seed is None for seat in seats for seed in seat.seeds[1:])


def test_the_same_seed_gives_the_same_games_whatever_was_drawn_before():
    def play(seed: int):
        return play_games([CountingGame(20), CountingGame(30)], make_model(), games=2, seed=seed)

    first = play(5)
    torch.rand(7)
    assert play(5) == first
    assert play(6) != first


def test_the_policy_is_sampled_and_the_score_is_the_sum_of_rewards():
    # An untrained policy is almost uniform over the rewards 0, 1 and 2; its mode would be constant.
    (game,) = play_games([CountingGame(200)], make_model(), games=1, seed=0)
    assert 150 < game.score < 250
    assert game.facts == {"floor": 1, "sum": {"rewards": game.score}}


def test_every_game_is_played_with_its_own_gauges_of_the_present_step():
    model, games = make_model(STAGES), [StagedGame(3), StagedGame(4), StagedGame(5)]
    obey_the_stage(model)
    play_games(games, model, games=6, seed=0)
    for game in games:
        assert len(game.acted) >= game.length
        assert set(game.acted) == {(1, 2), (2, 0)}
