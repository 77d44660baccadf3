"""What a game says of itself, worked out by hand."""

from dataclasses import replace

import ale_py
import gymnasium as gym
import numpy as np
import pytest

from envs import KUNG_FU_MASTER as GAME
from envs import STACK, EnvConfig, Game, find_game, game_of, is_known, playable_roms

SMALL = Game(
    title="Small Game",
    rom="small_game",
    ale_id="ALE/SmallGame-v5",
    env_id="knifesight/SmallGame-v0",
    rows=(2, 10),
    columns=(1, 9),
    random_score=50.0,
    human_score=250.0,
    score_source="nowhere",
)


def test_an_observation_is_a_stack_of_play_areas():
    assert SMALL.obs_shape == (STACK, 8, 8)
    assert replace(SMALL, rows=(3, 8), columns=(0, 10)).obs_shape == (4, 5, 10)
    assert GAME.obs_shape == (4, 64, 144)


def test_the_play_area_is_cut_out_of_a_screen_with_and_without_colours():
    rows, columns = np.indices((12, 10))
    area = rows[SMALL.play_area]
    assert area.shape == SMALL.obs_shape[1:]
    assert (area.min(), area.max()) == (2, 9)
    assert (columns[SMALL.play_area].min(), columns[SMALL.play_area].max()) == (1, 8)
    assert np.zeros((12, 10, 3))[SMALL.play_area].shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("score", "normalized"), [(50.0, 0.0), (250.0, 1.0), (150.0, 0.5), (0.0, -0.25), (650.0, 3.0)]
)
def test_scores_between_random_play_and_a_human(score: float, normalized: float):
    assert SMALL.human_normalized(score) == pytest.approx(normalized)


def test_kung_fu_master_against_the_published_numbers():
    # (11,497.4 - 258.5) / (22,736.3 - 258.5) = 11,238.9 / 22,477.8
    assert GAME.human_normalized(11_497.4) == pytest.approx(0.5)
    assert (GAME.random_score, GAME.human_score) == (258.5, 22_736.3)


@pytest.mark.parametrize(
    ("rom", "screen", "num_actions"),
    [("kung_fu_master", (210, 160), 14), ("carnival", (214, 160), 6), ("pacman", (250, 160), 5)],
)
def test_the_rom_says_how_large_its_screen_is_and_how_many_actions_it_has(
    rom: str, screen: tuple[int, int], num_actions: int
):
    game = replace(GAME, rom=rom)
    assert (game.screen, game.num_actions) == (screen, num_actions)


def test_a_game_that_cannot_be_is_named():
    with pytest.raises(ValueError, match=r"rom must be one that .* and plays, got small"):
        _ = SMALL.num_actions
    for rows, columns, message in (
        ((96, 211), (8, 152), "rows of Kung-Fu Master must lie within the 210 .* got 96 to 211"),
        ((96, 160), (8, 168), "columns of Kung-Fu Master must lie within the 160 .* got 8 to 168"),
        ((-8, 160), (8, 152), "rows .* got -8 to 160"),
        ((96, 96), (8, 152), "rows .* got 96 to 96"),
    ):
        with pytest.raises(ValueError, match=message):
            _ = replace(GAME, rows=rows, columns=columns).screen


def test_every_game_has_an_id_of_ale_and_one_of_ours():
    gym.register_envs(ale_py)
    assert len(playable_roms()) > 100
    for rom in ("kung_fu_master", "breakout", "tic_tac_toe_3d", "ms_pacman", "up_n_down"):
        game = find_game(rom)
        assert gym.spec(game.ale_id).kwargs["game"] == rom
        assert gym.spec(game.env_id).kwargs["game"] == rom
    ours = [name for name in gym.registry if name.startswith("knifesight/")]
    assert len(ours) == len(playable_roms())


def test_a_game_without_an_entry_shows_as_much_of_its_screen_as_fits():
    game = find_game("space_invaders")
    assert (game.title, game.rows, game.columns) == ("Space Invaders", (0, 208), (0, 160))
    assert not is_known("space_invaders")
    assert (game.random_score, game.human_score) == (148.0, 1668.7)
    assert game.gauge_names == ()
    nobody = find_game("klax")
    assert nobody.rows == (0, 248)  # of 250
    assert nobody.human_normalized(9.0) is None


def test_a_game_that_is_not_played_is_refused_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"game must be .* got 'breakot'; nearest are breakout, "):
        EnvConfig(game="breakot")
    with pytest.raises(ValueError, match="game must be one that ale-py plays, got 'joust'"):
        EnvConfig(game="joust")  # for two players only
    with pytest.raises(ValueError, match=r"multiples of 8, got 100 x 160 on a screen of 210 x 160"):
        EnvConfig(game="pong", play_area=(0, 100, 0, 160))
    with pytest.raises(ValueError, match=r"rows of Pong must lie within the 210 .* got 8 to 216"):
        EnvConfig(game="pong", play_area=(8, 216, 0, 160))
    assert game_of(EnvConfig(game="pong", play_area=(8, 208, 0, 160))).obs_shape == (4, 200, 160)
