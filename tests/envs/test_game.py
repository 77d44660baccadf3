"""What a game says of itself, worked out by hand."""

from dataclasses import replace

import ale_py
import gymnasium as gym
import numpy as np
import pytest
from ale_py import ALEInterface, roms

from envs import GAME, STACK, Game

SMALL = Game(
    title="Small Game",
    rom="small_game",
    ale_id="ALE/SmallGame-v5",
    env_id="knifesight/SmallGame-v0",
    screen=(12, 10),
    rows=(2, 10),
    columns=(1, 9),
    num_actions=3,
    random_score=50.0,
    human_score=250.0,
    score_source="nowhere",
)


def test_an_observation_is_a_stack_of_play_areas():
    assert SMALL.obs_shape == (STACK, 8, 8)
    assert replace(SMALL, rows=(3, 8), columns=(0, 10)).obs_shape == (4, 5, 10)
    assert GAME.obs_shape == (4, 64, 144)


def test_the_play_area_is_cut_out_of_a_screen_with_and_without_colours():
    rows, columns = np.indices(SMALL.screen)
    area = rows[SMALL.play_area]
    assert area.shape == SMALL.obs_shape[1:]
    assert (area.min(), area.max()) == (2, 9)
    assert (columns[SMALL.play_area].min(), columns[SMALL.play_area].max()) == (1, 8)
    assert np.zeros((*SMALL.screen, 3))[SMALL.play_area].shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("score", "normalized"), [(50.0, 0.0), (250.0, 1.0), (150.0, 0.5), (0.0, -0.25), (650.0, 3.0)]
)
def test_scores_between_random_play_and_a_human(score: float, normalized: float):
    assert SMALL.human_normalized(score) == pytest.approx(normalized)


def test_kung_fu_master_against_the_published_numbers():
    # (11,497.4 - 258.5) / (22,736.3 - 258.5) = 11,238.9 / 22,477.8
    assert GAME.human_normalized(11_497.4) == pytest.approx(0.5)
    assert (GAME.random_score, GAME.human_score) == (258.5, 22_736.3)


def test_the_emulator_knows_the_game_as_it_is_described():
    ale = ALEInterface()
    ale.loadROM(str(roms.get_rom_path(GAME.rom)))
    assert ale.getScreenDims() == GAME.screen
    assert len(ale.getMinimalActionSet()) == GAME.num_actions
    gym.register_envs(ale_py)
    assert gym.spec(GAME.ale_id).kwargs["game"] == GAME.rom
    assert gym.spec(GAME.env_id).id == GAME.env_id
