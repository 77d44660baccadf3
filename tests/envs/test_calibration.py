"""What random play tells of a game, on made-up games whose answer is known."""

import numpy as np
import pytest

from envs import KUNG_FU_MASTER, EnvConfig, play_randomly
from envs.calibration import RandomPlay, find_play_area, find_reward_scale

HEIGHT, WIDTH, STEPS = 210, 163, 100


def play(moves: slice, *status: slice, rewards: tuple[int, ...] = (20, 60)) -> RandomPlay:
    """One game in which rows move in every step, and others only in the step of a reward."""
    changed = np.zeros((STEPS, 1, HEIGHT), bool)
    changed[:, :, moves] = True
    for rows in status:
        for step in rewards:
            changed[step, :, rows] = True
    paid = np.zeros((STEPS, 1), np.int64)
    paid[list(rewards)] = 50
    screens = np.zeros((STEPS // 4, 1, HEIGHT, WIDTH, 3), np.uint8)
    return RandomPlay(screens, changed, paid, paid != 0)


@pytest.mark.parametrize(
    ("found", "area"),
    [
        (play(slice(40, 160)), (0, 208)),  # no status: as much as fits
        (play(slice(40, 168), slice(5, 16)), (16, 208)),
        (play(slice(40, 168), slice(5, 16), slice(22, 32)), (32, 208)),  # two lines of it
        (play(slice(40, 160), slice(5, 16), slice(192, 200)), (16, 192)),
        # Bricks change with rewards alone, too, but far below the score.
        (play(slice(100, 168), slice(5, 16), slice(57, 93)), (16, 208)),
        (play(slice(100, 168), slice(57, 93)), (0, 208)),
        (play(slice(0, 160), slice(180, 210)), (0, 176)),
        (play(slice(0, 0)), (0, 208)),
    ],
)
def test_the_play_area_is_what_is_between_the_status_rows(found: RandomPlay, area: tuple[int, int]):
    assert find_play_area(found) == (*area, 0, 160)


def test_a_height_that_does_not_fit_loses_nothing_that_moves():
    # 181 rows are left: 184 would show three rows of status, 176 would lose five that move.
    assert find_play_area(play(slice(29, 210), slice(0, 29)))[:2] == (26, 210)
    # Here 176 lose only rows in which nothing ever happens.
    assert find_play_area(play(slice(60, 190), slice(0, 29)))[:2] == (29, 205)


def test_where_rewards_never_stop_all_is_play_area():
    always = tuple(range(STEPS))
    assert find_play_area(play(slice(40, 160), slice(5, 16), rewards=always))[:2] == (0, 208)


def test_rewards_have_a_mean_size_of_one():
    paid = play(slice(0, 10))
    assert find_reward_scale(paid) == pytest.approx(1 / 50)
    paid.rewards[20] = -150
    assert find_reward_scale(paid) == pytest.approx(1 / 100)
    assert find_reward_scale(paid._replace(rewards=0 * paid.rewards)) == 1.0


def test_random_play_tells_when_something_happened_and_which_rows_changed():
    found = play_randomly(EnvConfig(), seed=0)
    assert found.screens.shape == (150, 4, 210, 160, 3)
    assert found.changed.shape == (600, 4, 210)
    assert found.happened[found.rewards != 0].all()
    assert found.happened.sum() > (found.rewards != 0).sum()  # lives are lost as well
    rows = slice(*KUNG_FU_MASTER.rows)
    assert found.changed[:, :, rows].any(axis=2).mean() > 0.7
    assert not found.changed[:, :, 0].any()
