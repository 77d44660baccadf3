"""What is painted over, and nothing else."""

import numpy as np
import pytest

from benchmarks.painted_over import PaintedEnv, paint_arm, paint_knife, scripted_figures
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, SingleEnv
from envs.kung_fu_master import ram as truth

PROJECTION = Projection((truth.SKY_COLOUR, (180, 122, 48)), (truth.KNIFE_COLOUR,))
SLEEVE = (192, 192, 192)


def area(*coloured: tuple[slice, slice, tuple[int, int, int]]) -> np.ndarray:
    """A play area of sky with these rectangles in it."""
    picture = np.empty((64, 144, 3), np.uint8)
    picture[:] = truth.SKY_COLOUR
    for rows, columns, colour in coloured:
        picture[rows, columns] = colour
    return picture


def ram(**values: int) -> np.ndarray:
    memory = np.zeros(128, np.uint8)
    for name, value in ({"PROJECTILE_Y": truth.NO_PROJECTILE} | values).items():
        memory[getattr(truth, name)] = value
    return memory


def test_a_knife_is_painted_over_and_the_sleeve_behind_it_is_not():
    memory = ram(PROJECTILE_Y=0, PROJECTILE_X=137)  # rows 27 and 28, columns 77 to 81
    knife = (slice(27, 29), slice(77, 82), truth.KNIFE_COLOUR)
    sleeve = (slice(20, 40), slice(81, 90), SLEEVE)
    other = (slice(50, 52), slice(77, 82), truth.KNIFE_COLOUR)  # of the same colour, elsewhere
    picture = area(sleeve, knife, other)
    paint_knife(picture, memory)
    expected = area(sleeve, (slice(27, 29), slice(81, 82), truth.SKY_COLOUR), other)
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize(("facing", "columns"), [(8, slice(67, 69)), (0, slice(72, 74))])
def test_a_raised_arm_is_painted_over_and_a_lowered_one_is_not(facing: int, columns: slice):
    body = (slice(28, 62), slice(69, 72), SLEEVE)
    arm = (slice(33, 40), columns, SLEEVE)
    thrower = {"ENEMY": truth.THROWER, "ENEMY_X": 124, "ENEMY_FACING": facing}
    picture = area(body, arm)
    paint_arm(picture, ram(**thrower, THROWER_POSE=144))
    np.testing.assert_array_equal(picture, area(body, arm))
    paint_arm(picture, ram(**thrower, THROWER_POSE=truth.RAISED_ARM))
    np.testing.assert_array_equal(picture, area(body))
    assert truth.raised_arm(ram(ENEMY=177, ENEMY_X=124)) is None


def test_in_a_painted_game_the_knives_are_missing_and_all_else_is_the_same():
    config = EnvConfig(repeat_action_probability=0.0)
    plain, painted = SingleEnv(PROJECTION, config), PaintedEnv(PROJECTION, config, ["knife"])
    plain.reset(seed=0)
    painted.reset(seed=0)
    rng = np.random.default_rng(0)
    differing = 0
    for _ in range(400):
        action = int(rng.integers(GAME.num_actions))
        obs, reward, over, _, info = plain.step(action)
        hidden, *rest = painted.step(action)
        assert rest[:2] == [reward, over]
        np.testing.assert_array_equal(rest[-1]["gauges"], info["gauges"])
        np.testing.assert_array_equal(painted.render(), plain.render())
        box = truth.projectile(plain.ram)
        if box:
            mask = box.mask(64, 144, grow=1)
            np.testing.assert_array_equal(hidden[-1][~mask], obs[-1][~mask])
            assert not (hidden[-1][mask] == 255).any()
            differing += bool((hidden[-1] != obs[-1]).any())
        else:
            np.testing.assert_array_equal(hidden[-1], obs[-1])
    assert differing > 5


def test_a_script_that_reads_the_ram_dodges_high_knives(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("envs.single.default_projection", lambda _: PROJECTION)
    found = scripted_figures(games=1)
    assert found["dodged_high"] == 1.0
    assert 0.2 < found["dodged_low"] < 0.9
    assert found["score"] > 1000
