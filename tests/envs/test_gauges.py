"""What the screen shows beside the play area, against the RAM, which judges and never trains."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, SingleEnv, make_envs
from envs.gauge_reader import GaugeReader, Reading
from envs.gauges import HEALTH, OPPONENT, STAGE, WAY, gauge_names
from envs.kung_fu_master import ram as truth
from envs.way import Way, motion

PROJECTION = Projection((truth.SKY_COLOUR, (180, 122, 48)), (truth.KNIFE_COLOUR,))
NAMES = GAME.gauge_names
LEFT, RIGHT = 3, 2
PIXEL = 1 / truth.FULL_HEALTH


class Watched:
    """A game whose gauges are read in every step."""

    def __init__(self, *, sticky: float = 0.25) -> None:
        self.env = SingleEnv(PROJECTION, EnvConfig(repeat_action_probability=sticky))
        self.take(self.env.reset(seed=1)[1])

    def take(self, info: dict[str, Any]) -> None:
        self.gauges = dict(zip(NAMES, info["gauges"].tolist(), strict=True))
        damage, opponent, way = info["changes"].tolist()
        self.damage, self.opponent, self.way = damage, opponent, way

    def step(self, action: int = 0) -> None:
        self.take(self.env.step(action)[-1])

    def write(self, **values: int) -> None:
        """Set bytes of the RAM by their names."""
        for name, value in values.items():
            self.env._ale.setRAM(getattr(truth, name), value)

    def begin(self, floor: int) -> None:
        """Lose a life, so that the game goes on at the start of a floor."""
        while truth.clock(self.env.ram) in (0, 2000):
            self.step()
        self.write(FLOOR=floor, PLAYER_HEALTH=0, LIVES=3)
        while self.env.ram[truth.PLAYER_HEALTH] != truth.FULL_HEALTH:
            self.step()
        self.write(FLOOR=floor)

    @property
    def stage(self) -> int:
        shown = [self.gauges[f"{STAGE}_{number}"] for number in range(1, 6)]
        assert sorted(shown) == [0, 0, 0, 0, 1]
        return shown.index(1) + 1


def walk(game: Watched, action: int, steps: int) -> None:
    """Walk one way, fight a little, and do not die."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        game.write(PLAYER_HEALTH=truth.FULL_HEALTH)
        game.step(action if rng.random() < 0.5 else int(rng.integers(GAME.num_actions)))


def test_what_the_screen_shows_is_what_the_ram_holds_on_every_floor():
    game, rng = Watched(), np.random.default_rng(0)
    floors, healths = set(), set()
    for floor in range(1, 6):
        game.begin(floor)
        for step in range(170):  # the lamp blinks every 8 steps once the fight has begun
            ram = game.env.ram
            # The game sets the byte of the floor a few steps before it draws the next one.
            if ram[truth.FLOOR] == floor and step > 2:
                assert game.stage == floor, step
                floors.add(floor)
            assert game.gauges[HEALTH] == pytest.approx(truth.player_health(ram) * PIXEL)
            assert game.gauges[OPPONENT] == pytest.approx(int(ram[truth.ENEMY_HEALTH]) * PIXEL)
            assert game.gauges["clock"] == pytest.approx(truth.clock(ram) / 2000)
            assert game.gauges["lives"] == pytest.approx(int(ram[truth.LIVES]) / 9)
            healths.add(game.gauges[HEALTH])
            if step == 100:
                game.write(ENEMY_HEALTH=7 * floor)
            game.step(int(rng.integers(GAME.num_actions)))
    assert floors == {1, 2, 3, 4, 5}
    assert len(healths) > 3


def test_damage_is_told_in_the_step_of_the_hit():
    game, rng = Watched(), np.random.default_rng(0)
    hits = 0
    for _ in range(600):
        before = truth.player_health(game.env.ram)
        game.step(int(rng.integers(GAME.num_actions)))
        lost = max(0, before - truth.player_health(game.env.ram))
        assert game.damage == pytest.approx(lost * PIXEL, abs=1e-6)
        hits += lost > 1
    assert hits > 2


def test_health_that_the_game_itself_takes_is_no_damage():
    game = Watched()
    walk(game, LEFT, 120)
    game.write(PLAYER_HEALTH=20)
    game.step()
    game.write(TIME=0)
    game.env._ale.setRAM(truth.TIME + 1, 2)
    told = 0.0
    while game.gauges[HEALTH]:
        assert truth.clock(game.env.ram) < 5
        told += game.damage
        game.step()
    assert game.damage == 0
    assert told < 0.5  # nothing but a real hit before the end
    # The refilled bar of the next life is no gain, and the scene begins anew.
    while not game.gauges[HEALTH]:
        game.step()
        assert game.damage == 0
    # A beaten boss: health is counted down, one a step; a knife still takes seven.
    game.write(ENEMY_HEALTH=0)
    for health, damage in ((38, 0.0), (37, 0.0), (30, 7 * PIXEL)):
        game.write(PLAYER_HEALTH=health)
        game.step()
        assert game.gauges[HEALTH] == pytest.approx(health * PIXEL)
        assert game.damage == pytest.approx(damage, abs=1e-6)


@pytest.mark.parametrize(("floor", "onward", "back"), [(1, LEFT, RIGHT), (2, RIGHT, LEFT)])
def test_the_way_grows_onward_whatever_the_direction(floor: int, onward: int, back: int):
    game = Watched(sticky=0.0)
    game.begin(floor)
    walk(game, onward, 250)
    before = game.gauges[WAY]
    assert before > 0.05
    for action in (onward,) * 20 + (back,) * 150:
        game.step(action)
        if game.gauges[HEALTH] and game.gauges[WAY]:
            assert game.way == pytest.approx(game.gauges[WAY] - before, abs=1e-6)
        before = game.gauges[WAY]
    # The start of the next life is no way back.
    walk(game, onward, 50)
    game.write(PLAYER_HEALTH=0, LIVES=3)
    while game.gauges[WAY] > 0.02:
        game.step()
        assert abs(game.way) < 0.02


class Bars:
    """Screens made by hand, of a health bar, a boss's bar and a wall with pillars."""

    def __init__(self) -> None:
        self.reader = GaugeReader(GAME.gauges, 1)
        self.shift = 0

    def show(self, health: int = 39, opponent: int = 39, lit: int = 0, move: int = 0) -> Reading:
        screen = np.zeros((210, 160, 3), np.uint8)
        screen[43, 49 : 49 + health] = (232, 232, 74)
        screen[51, 49 : 49 + opponent] = (184, 50, 50)
        screen[34, 28 : 28 + 8 * lit : 8] = (167, 26, 26)
        screen[10:17, 31:61] = 214  # a clock that shows no digits, but is not at its end
        screen[10:17, 55:61] = 0
        for row, bits in enumerate((12, 28, 12, 12, 12, 12, 30)):
            for column in range(6):
                screen[10 + row, 55 + column] = 214 * (bits >> (5 - column) & 1)
        self.shift += move
        screen[58:96] = (66, 72, 200)
        screen[120:155, 70:78] = 214  # the player
        pillars = (np.arange(-320, 320, 37) + self.shift) % 640
        screen[58:96, pillars[pillars < 160]] = (232, 232, 74)
        return self.reader.read(screen[None], np.zeros(1, np.int64))

    def changes(self, **shown: int) -> list[float]:
        return self.show(**shown).changes[0].tolist()


def test_changes_are_told_within_a_scene_and_its_start_changes_nothing():
    bars = Bars()
    assert bars.changes() == [0, 0, 0]
    assert bars.changes(opponent=35) == pytest.approx([0, 4 * PIXEL, 0])
    assert bars.changes(opponent=35, move=4) == pytest.approx([0, 0, 4 / 1100])
    assert bars.changes(opponent=39, move=-3) == pytest.approx([0, -4 * PIXEL, -3 / 1100])
    assert bars.changes(opponent=34, health=0) == pytest.approx([1, 5 * PIXEL, 0])
    assert bars.changes() == [0, 0, 0]  # the next life
    assert bars.changes(opponent=37, move=-2) == pytest.approx([0, 2 * PIXEL, 2 / 1100])
    bars.reader.forget(np.zeros(1, np.int64))
    assert bars.changes() == [0, 0, 0]  # the next game


def test_the_next_floor_begins_with_its_lamp_dark():
    bars = Bars()
    for shown in ({}, {"lit": 1}, {"opponent": 0, "lit": 1}, {"opponent": 0, "health": 0}):
        bars.show(**shown)
    reading = bars.show(lit=1)
    assert dict(zip(NAMES, reading.gauges[0], strict=True))[f"{STAGE}_2"] == 1
    assert reading.changes[0].tolist() == [0, 0, 0]
    assert bars.changes(lit=1, opponent=38, move=3) == pytest.approx([0, PIXEL, 3 / 1100])


def test_the_lamps_count_though_the_last_one_blinks_and_the_floors_begin_again():
    bars = Bars()

    def stage(**shown: int) -> int:
        return int(bars.show(**shown).gauges[0, 2:7].argmax()) + 1

    assert [stage(lit=lit) for lit in (0, 0, 1, 0, 1)] == [1] * 5
    stage(health=0, lit=1)
    assert [stage(lit=lit) for lit in (1, 2, 1)] == [2] * 3
    stage(health=0, lit=2)
    for floor in (3, 4, 5):
        assert [stage(lit=lit) for lit in (floor - 1, floor, floor - 1)] == [floor] * 3
        stage(health=0, lit=floor)
    assert [stage(lit=lit) for lit in (0, 1)] == [1, 1]


def test_the_way_is_that_of_the_player_though_the_picture_stands_still():
    game = Watched(sticky=0.0)
    game.begin(2)
    first = game.gauges[WAY]
    ways, columns = [], []
    for _ in range(80):
        game.write(PLAYER_HEALTH=truth.FULL_HEALTH)
        game.step(RIGHT)
        ways.append(game.gauges[WAY])
        columns.append(truth.player_x(game.env.ram))
    standing = np.flatnonzero(np.array(columns) < 70)  # in the middle the picture scrolls
    assert len(standing) > 5
    assert first == 0
    moved = np.array(columns)[standing] - columns[0]
    np.testing.assert_allclose(np.array(ways)[standing] * 1100, moved + ways[0] * 1100, atol=7)


@pytest.mark.parametrize("move", range(-6, 7))
def test_every_motion_of_the_picture_up_to_the_reach_is_measured(move: int):
    walls = np.random.default_rng(0).integers(0, 255, (2, 5, 200, 3), dtype=np.uint8)
    before, after = walls[:, :, 40:160], walls[:, :, 40 - move : 160 - move].copy()
    after[1] = before[1]  # another game, whose picture stands still
    assert motion(before, after, reach=6).tolist() == [move, 0]


def test_another_place_and_a_plain_wall_tell_of_no_motion():
    before, after = np.random.default_rng(0).integers(0, 255, (2, 2, 5, 120, 3), dtype=np.uint8)
    before[1], after[1] = 7, 7
    after[1, :, :, 1:] = 8  # another colour with as much red
    assert motion(before, after, reach=6).tolist() == [0, 0]


def test_many_games_together_show_what_each_shows_alone():
    envs = make_envs(EnvConfig(repeat_action_probability=0.0), PROJECTION, num_envs=3)
    single = SingleEnv(PROJECTION, EnvConfig(repeat_action_probability=0.0))
    _, infos = envs.reset(seed=0)
    _, info = single.reset(seed=0)
    rng = np.random.default_rng(2)
    np.testing.assert_array_equal(infos["gauges"][1], info["gauges"])
    games = 0
    while games < 1:
        action = int(rng.integers(GAME.num_actions))
        _, _, terminated, _, infos = envs.step(np.array([0, action, 5]))
        _, _, over, _, info = single.step(action)
        assert terminated[1] == over
        last = infos["final_gauges" if over else "gauges"][1]
        np.testing.assert_array_equal(last, info["gauges"])
        np.testing.assert_array_equal(infos["changes"][1], info["changes"])
        if not over:
            continue
        _, info = single.reset()
        np.testing.assert_array_equal(infos["gauges"][1], info["gauges"])
        games += 1
    envs.close()


def test_a_game_that_is_cut_off_begins_anew():
    envs = make_envs(
        EnvConfig(repeat_action_probability=0.0, max_episode_frames=320), PROJECTION, num_envs=1
    )
    envs.reset(seed=0)
    way = NAMES.index(WAY)
    for step in range(1, 161):
        _, _, _, truncated, infos = envs.step(np.array([LEFT]))
        assert truncated[0] == (step % 80 == 0)
        if truncated[0]:  # in the midst of the way
            assert infos["final_gauges"][0, way] > 0
            assert infos["gauges"][0, way] == 0
    envs.close()


def test_at_the_end_of_a_game_the_changes_are_those_of_its_last_step():
    envs = make_envs(EnvConfig(max_episode_frames=40), PROJECTION, num_envs=2)
    reader, calls = envs.env._gauges, 0  # type: ignore[attr-defined]
    envs.reset(seed=0)
    read = reader.read

    def numbered(*arguments: Any) -> Reading:
        nonlocal calls
        calls += 1
        gauges, changes = read(*arguments)
        return Reading(gauges, np.full_like(changes, calls))

    reader.read = numbered
    for _ in range(9):
        *_, infos = envs.step(np.array([0, 0]))
    assert (infos["changes"] == 9).all()
    *_, infos = envs.step(np.array([0, 0]))  # the last screens are read first, then the new ones
    assert calls == 11
    assert (infos["changes"] == 10).all()
    envs.close()


def test_a_game_without_gauges_has_none():
    envs = make_envs(EnvConfig(game="carnival"), PROJECTION, num_envs=2)
    _, infos = envs.reset(seed=0)
    assert infos["gauges"].shape == (2, 0)
    *_, infos = envs.step(np.array([0, 1]))
    assert infos["gauges"].shape == (2, 0)
    assert not infos["changes"].any()
    envs.close()


def test_every_value_has_a_name_of_its_own_and_lies_between_0_and_1():
    assert len(set(NAMES)) == len(NAMES) == 10
    assert gauge_names(()) == ()
    reading = Bars().show()
    assert reading.gauges.shape == (1, len(NAMES))
    assert reading.gauges.dtype == np.float32
    assert 0 <= reading.gauges.min() <= reading.gauges.max() <= 1


@pytest.mark.parametrize("index", range(len(GAME.gauges)))
def test_a_gauge_outside_of_the_screen_is_named(index: int):
    gauge = GAME.gauges[index]
    outside = replace(gauge, rows=(200, 211)) if isinstance(gauge, Way) else replace(gauge, row=210)
    with pytest.raises(ValueError, match=rf"gauge {gauge.name} of Kung-Fu Master must lie within"):
        _ = replace(GAME, gauges=(outside,)).screen


def test_no_two_gauges_overlap():
    boxes = [gauge.box for gauge in GAME.gauges]
    for one, other in pairwise(sorted(boxes)):
        assert one[1] <= other[0] or one[3] <= other[2] or other[3] <= one[2]
