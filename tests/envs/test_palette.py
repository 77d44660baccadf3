"""A level for every colour, and what is behind things in each row, worked out by hand."""

import numpy as np
import pytest

from encoders import foreground, make_finder
from envs import EnvConfig, SingleEnv, calibrate, palette
from envs.palette import fit_palette
from experiment.config import ANY_GAME

FIELD, WHITE, WATER, GREEN, NEW = (
    (144, 72, 17),
    (236, 236, 236),
    (0, 0, 148),
    (92, 186, 92),
    (9, 9, 9),
)


def court(count: int) -> np.ndarray:
    """Frames of 40 x 60: a white wall in rows 0 to 7, and a white ball of 4 x 2 in the field."""
    frames = np.full((count, 40, 60, 3), FIELD, np.uint8)
    frames[:, :8] = WHITE
    frames[:, 30:32] = WATER
    frames[:, 20:28, 50:52] = GREEN  # a bat
    for n, frame in enumerate(frames):
        frame[12:16, 2 + n : 4 + n] = WHITE
    return frames


def level(projection, colour) -> int:
    return int(projection(np.full((1, 1, 1, 3), colour, np.uint8))[0, 0, 0])


def is_behind(projection, row: int, colour) -> bool:
    return any(
        first <= level(projection, colour) <= last for first, last in projection.backdrop[row]
    )


def test_a_colour_may_be_a_wall_in_one_row_and_a_ball_in_another():
    projection = fit_palette(court(40))
    assert is_behind(projection, 3, WHITE)
    assert not is_behind(projection, 13, WHITE)
    assert all(is_behind(projection, row, FIELD) for row in range(40))  # the most frequent one
    assert is_behind(projection, 30, WATER)
    assert not is_behind(projection, 29, WATER)
    assert not is_behind(projection, 22, GREEN)
    assert len(projection.backdrop) == 40


def test_where_nothing_changes_is_told_for_every_row():
    frames = court(40)
    assert fit_palette(frames).live == tuple(0 if 12 <= row < 16 else 60 for row in range(40))
    frames = frames[8:]  # the ball is never in the bar at the left
    assert fit_palette(frames).live == tuple(8 if 12 <= row < 16 else 60 for row in range(40))


def test_a_colour_flies_alone_if_three_quarters_of_its_parts_do():
    frames = court(40)
    white, green = (level(fit_palette(frames), colour) for colour in (WHITE, GREEN))
    assert sorted(fit_palette(frames).alone) == sorted((white, green))  # ball and bat
    often = frames.copy()
    for frame in often[::2]:  # the ball touches the bat
        frame[12:16, :] = FIELD
        frame[20:24, 48:50] = WHITE
    assert fit_palette(often).alone == ()


def test_things_differ_from_what_is_behind_them_enough():
    projection = fit_palette(court(40))
    behind, things = (FIELD, WATER), (WHITE, GREEN)
    assert level(projection, FIELD) == 128
    assert level(projection, WHITE) == 255
    assert len({level(projection, colour) for colour in (*behind, *things)}) == 4
    for thing in things:
        for wall in behind:
            assert abs(level(projection, thing) - level(projection, wall)) >= 16
        assert abs(level(projection, thing) - 128) >= 64
    assert abs(level(projection, WATER) - 128) >= 16
    assert level(projection, NEW) <= 68  # never seen


def test_as_many_walls_as_there_are_have_levels_of_their_own_beside_the_background():
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    for row in range(9):
        frames[:, row] = (30 + 20 * row, 0, 0)
    levels = sorted(value for _, value in fit_palette(frames).levels)
    assert 128 in levels
    assert len(set(levels)) == 10
    assert np.diff(levels).min() >= 8
    assert min(abs(value - 128) for value in levels if value != 128) >= 16


def test_the_detector_finds_pong_s_ball_and_neither_bats_nor_walls():
    # The ball alone is white between the walls: that is the reference.
    config = EnvConfig(game="pong", play_area=(34, 194, 0, 160))
    env = SingleEnv(calibrate(config, seed=1), config)
    finder = make_finder(ANY_GAME, env.projection)
    rng = np.random.default_rng(0)
    obs, _ = env.reset(seed=2)
    seen = found = wrong = 0
    for _ in range(400):
        obs, _, over, _, _ = env.step(int(rng.integers(env.action_space.n)))
        ball = (env.render()[34:194] == (236, 236, 236)).all(axis=2)
        pixels = finder.pixels(obs[None])[0].astype(bool)
        seen += bool(ball.any())
        found += bool(ball.any() and (pixels & ball).any())
        wrong += bool((pixels & ~ball).any())
        if over:
            env.reset()
    assert seen > 150
    assert found > 0.9 * seen
    assert wrong < 0.03 * seen


def test_what_flies_alone_is_as_small_and_solid_as_what_the_detector_looks_for():
    # Environments and encoders do not know each other, so both say it.
    box = ANY_GAME.centre_height, ANY_GAME.centre_width, ANY_GAME.max_pixels
    assert box == palette.SMALL
    assert palette.SOLID == foreground.SOLID


@pytest.mark.parametrize("game", ["breakout", "seaquest"])
def test_another_game_is_seen_with_all_its_colours(game: str):
    config = EnvConfig(game=game)
    projection = calibrate(config, seed=1)
    env = SingleEnv(projection, config)
    env.reset(seed=3)
    for _ in range(30):
        env.step(1)
    screen = env.render()[env.game.play_area]
    colours = np.unique(screen.reshape(-1, 3), axis=0)
    assert len({level(projection, tuple(colour)) for colour in colours}) == len(colours)
    assert len(projection.backdrop) == env.game.obs_shape[1]
