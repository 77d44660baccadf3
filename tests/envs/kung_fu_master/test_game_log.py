"""What a game's RAM tells of it: stories made by hand, and whole real games."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, make_logged_envs
from envs.kung_fu_master import ram as truth
from envs.kung_fu_master.game_log import REACH, GameLog

HENCHMAN, THROWER, UNKNOWN = 177, 92, 1
"""Values of the enemy's byte."""
NEAR, FAR = 137, 180
"""Values of the projectile's byte: over the player's middle, and 43 pixels beside it."""


def ram(**changes: int) -> np.ndarray:
    """The memory at the start of a fight, but for ``changes``."""
    memory = np.zeros(128, np.uint8)
    values = {
        "FLOOR": 1, "LIVES": 3, "TIME": 0x20, "ENEMY": HENCHMAN, "ENEMY_HEALTH": 39,
        "PLAYER_X": 130, "PLAYER_HEALTH": 39,
        "PROJECTILE_Y": truth.NO_PROJECTILE, "PROJECTILE_X": NEAR,
    }  # fmt: skip
    for name, value in (values | changes).items():
        memory[getattr(truth, name)] = value
    return memory


def thrown(shape: int = 0, **changes: int) -> np.ndarray:
    """The same with a projectile in flight, a knife by default."""
    return ram(**{"PROJECTILE_Y": 0, "PROJECTILE_SHAPE": shape, **changes})


def facts(*story: np.ndarray) -> dict[str, Any]:
    """What the log says of a game that goes so, step by step."""
    log = GameLog(story[0])
    for memory in story[1:]:
        log.update(memory)
    return log.facts()


def counts(thrown: int, dodged: int, suffered: int) -> dict[str, int]:
    return {"thrown": thrown, "dodged": dodged, "suffered": suffered}


def test_nothing_happened():
    assert facts(ram(), ram()) == {
        "highest_floor": 1, "floors_cleared": 0, "lowest_boss_energy": 39,
        "lives_lost": {}, "damage": {}, "projectiles": {}, "knives": {},
    }  # fmt: skip


def test_a_knife_that_ends_beside_the_player_and_takes_health_has_hit_him():
    found = facts(ram(), thrown(), ram(PLAYER_HEALTH=33))
    assert found["damage"] == {"knife": 6}
    assert found["projectiles"] == {"knife": counts(1, 0, 1)}
    assert found["lives_lost"] == {}


def test_a_knife_that_takes_no_health_was_dodged():
    for x in (NEAR, FAR):
        found = facts(ram(), thrown(PROJECTILE_X=x), ram())
        assert found["projectiles"] == {"knife": counts(1, 1, 0)}
        assert found["damage"] == {}


def test_a_knife_that_ends_far_away_did_not_take_the_health_that_somebody_took():
    found = facts(ram(), thrown(PROJECTILE_X=FAR), ram(PLAYER_HEALTH=38))
    assert found["projectiles"] == {"knife": counts(1, 1, 0)}
    assert found["damage"] == {"henchman": 1}


@pytest.mark.parametrize(("distance", "suffered"), [(REACH, 1), (REACH + 1, 0)])
def test_how_near_is_near(distance: int, suffered: int):
    # The knife lies over columns 77 to 81, the player's middle is at column 77.
    found = facts(ram(), thrown(PROJECTILE_X=NEAR + distance), ram(PLAYER_HEALTH=38))
    assert found["projectiles"]["knife"]["suffered"] == suffered
    left = facts(ram(), thrown(PROJECTILE_X=NEAR - 4 - distance), ram(PLAYER_HEALTH=38))
    assert left["projectiles"]["knife"]["suffered"] == suffered


def test_health_that_goes_while_a_knife_flies_is_the_enemys():
    found = facts(ram(), thrown(), thrown(PLAYER_HEALTH=38), ram(PLAYER_HEALTH=38))
    assert found["damage"] == {"henchman": 1}
    assert found["projectiles"] == {"knife": counts(1, 1, 0)}


def test_a_knife_in_flight_is_counted_once():
    found = facts(ram(), thrown(), thrown(PROJECTILE_X=FAR), thrown(), ram(), thrown())
    assert found["projectiles"] == {"knife": counts(2, 1, 0)}


def test_damage_is_that_of_the_enemy_who_was_there_before():
    found = facts(
        ram(ENEMY=THROWER),
        ram(PLAYER_HEALTH=37),
        ram(PLAYER_HEALTH=36, ENEMY=UNKNOWN),
        ram(PLAYER_HEALTH=32),
    )
    assert found["damage"] == {"knife thrower": 2, "henchman": 1, "unknown": 4}


def test_health_that_is_given_is_no_damage():
    assert facts(ram(PLAYER_HEALTH=5), ram(PLAYER_HEALTH=39))["damage"] == {}


def test_health_that_becomes_points_at_the_end_of_a_floor_is_no_damage():
    # A blow of 7, then the boss is beaten: the countdown, one point a step, and the next floor.
    countdown = [ram(PLAYER_HEALTH=health, ENEMY_HEALTH=0) for health in range(32, -1, -1)]
    blow = [ram(), ram(PLAYER_HEALTH=32), ram(PLAYER_HEALTH=32)]
    found = facts(*blow, *countdown, ram(FLOOR=2))
    assert found["damage"] == {"henchman": 7}
    assert found["lives_lost"] == {}
    assert (found["highest_floor"], found["floors_cleared"], found["lowest_boss_energy"]) == (
        2,
        1,
        0,
    )
    # The same fall that ends in a lost life was a henchman's grip.
    found = facts(*blow, *countdown, ram(LIVES=2))
    assert found["damage"] == {"henchman": 39}
    assert found["lives_lost"] == {"henchman": 1}
    # Behind a beaten boss a knife still hurts.
    found = facts(*blow, thrown(PLAYER_HEALTH=32), *countdown[7:], ram(FLOOR=2))
    assert found["damage"] == {"henchman": 7, "knife": 7}


def test_health_that_goes_with_the_clock_is_no_damage_and_the_life_was_lost_by_time():
    end = {"TIME": 0, "PLAYER_HEALTH": 0}
    found = facts(ram(), ram(PLAYER_HEALTH=20), ram(**end), ram(**end), ram(LIVES=2))
    assert found["damage"] == {"henchman": 19}
    assert found["lives_lost"] == {"time": 1}
    # The next life is lost by what takes it.
    found = facts(ram(), ram(**end), ram(LIVES=2), ram(LIVES=2, PLAYER_HEALTH=0), ram(LIVES=1))
    assert found["lives_lost"] == {"time": 1, "henchman": 1}


def test_health_below_nothing_is_nothing():
    # Henchmen go on taking from a dead player: 1, 0, then 255 and 254 until the life is gone.
    found = facts(*(ram(PLAYER_HEALTH=health) for health in (1, 0, 255, 254)))
    assert sum(found["damage"].values()) == 1


def test_a_life_is_lost_by_what_took_its_last_health():
    # A life goes some steps after its health, when somebody else may stand there.
    by_knife = facts(
        ram(PLAYER_HEALTH=4),
        thrown(PLAYER_HEALTH=4),
        ram(PLAYER_HEALTH=0),
        ram(PLAYER_HEALTH=0, ENEMY=UNKNOWN),
        ram(LIVES=2),
    )
    assert by_knife["lives_lost"] == {"knife": 1}
    assert by_knife["damage"] == {"knife": 4}
    by_body = facts(ram(PLAYER_HEALTH=1), ram(PLAYER_HEALTH=0), ram(LIVES=2))
    assert by_body["lives_lost"] == {"henchman": 1}


def test_the_last_life_is_lost_from_zero_to_255():
    found = facts(ram(PLAYER_HEALTH=1, LIVES=0), ram(PLAYER_HEALTH=0, LIVES=0), ram(LIVES=255))
    assert found["lives_lost"] == {"henchman": 1}


def test_an_extra_life_is_not_a_lost_one():
    assert facts(ram(), ram(LIVES=4))["lives_lost"] == {}


def test_a_projectile_that_ends_with_the_life_or_the_floor_is_neither_dodged_nor_suffered():
    life = facts(ram(), thrown(PLAYER_HEALTH=0), ram(LIVES=2))
    floor = facts(ram(), thrown(), ram(FLOOR=2))
    assert life["projectiles"] == floor["projectiles"] == {"knife": counts(1, 0, 0)}
    assert floor["lives_lost"] == {}


@pytest.mark.parametrize(("shape", "kind"), list(truth.SHAPES.items()))
def test_every_kind_of_projectile_is_counted_on_its_own(shape: int, kind: truth.Kind):
    found = facts(ram(), thrown(shape), ram(), thrown(), ram())
    other = {} if kind == truth.Kind.KNIFE else {str(kind): counts(1, 1, 0)}
    assert found["projectiles"] == {"knife": counts(2 - len(other), 2 - len(other), 0), **other}


def test_a_projectile_of_any_other_shape_is_counted_as_unknown():
    for shape in set(range(256)) - truth.SHAPES.keys():
        found = facts(ram(), thrown(shape), ram(PLAYER_HEALTH=36), thrown(shape, PLAYER_HEALTH=36))
        assert found["projectiles"] == {"unknown": counts(2, 0, 1)}
        assert found["damage"] == {"unknown": 3}


def test_an_enemy_of_any_other_byte_is_unknown():
    for byte in range(256):
        found = facts(ram(ENEMY=byte), ram(ENEMY=byte, PLAYER_HEALTH=36))
        assert found["damage"] == {truth.ENEMIES.get(byte, "unknown"): 3}


def test_a_boomerang_can_hit_too():
    found = facts(
        ram(),
        thrown(4),
        ram(PLAYER_HEALTH=30),
        thrown(PLAYER_HEALTH=30),
        ram(PLAYER_HEALTH=29),
    )
    assert found["damage"] == {"boomerang": 9, "knife": 1}
    assert found["projectiles"] == {"boomerang": counts(1, 0, 1), "knife": counts(1, 0, 1)}


def test_knives_are_counted_by_height():
    def knife(native: int) -> np.ndarray:
        return thrown(PROJECTILE_Y=(native - 123) % 256)

    found = facts(ram(), knife(129), ram(), knife(152), ram(), knife(152), ram(PLAYER_HEALTH=32))
    assert found["knives"] == {"high": counts(1, 1, 0), "low": counts(2, 1, 1)}
    assert found["projectiles"] == {"knife": counts(3, 2, 1)}
    assert facts(ram(), thrown(4), ram())["knives"] == {}  # a boomerang


def test_the_lowest_energy_of_a_boss_stays():
    found = facts(ram(), ram(ENEMY_HEALTH=35), ram(ENEMY_HEALTH=11), ram(LIVES=2))
    assert found["lowest_boss_energy"] == 11


def test_the_highest_floor_stays():
    assert facts(ram(), ram(FLOOR=3), ram(FLOOR=1))["highest_floor"] == 3
    assert facts(ram(FLOOR=2), ram(FLOOR=1))["highest_floor"] == 2


def test_facts_are_of_one_game_and_nobody_elses_to_change():
    log = GameLog(ram())
    log.update(ram(PLAYER_HEALTH=38))
    log.facts()["damage"].clear()
    assert log.facts()["damage"] == {"henchman": 1}


@pytest.mark.parametrize("seed", [0, 3])
def test_in_a_real_game_every_life_and_its_health_is_accounted_for(seed: int):
    # Random play runs out of health, never out of time.
    (game,) = make_logged_envs(EnvConfig(), Projection(((66, 72, 200), (180, 122, 48)), ()), 1)
    rng = np.random.default_rng(seed)
    for _ in range(2):  # the second game starts from nothing
        game.reset(seed=seed)
        over, info, steps = False, {}, 0
        while not over:
            assert "facts" not in info
            _, _, terminated, truncated, info = game.step(rng.integers(GAME.num_actions))
            over, steps = terminated or truncated, steps + 1
        found = info["facts"]
        assert steps > 300
        assert sum(found["lives_lost"].values()) == 4
        assert "time" not in found["lives_lost"]
        assert sum(found["damage"].values()) == 4 * 39
        knives = found["projectiles"]["knife"]
        assert knives["thrown"] >= knives["dodged"] + knives["suffered"] > 0
        assert (knives["suffered"] > 0) == ("knife" in found["damage"])


def test_in_a_real_game_the_clock_takes_a_life_and_no_enemy_is_blamed():
    (game,) = make_logged_envs(EnvConfig(), Projection(((66, 72, 200), (180, 122, 48)), ()), 1)
    game.reset(seed=0)
    emulator: Any = game.unwrapped._ale
    for _ in range(120):
        game.step(0)
    emulator.setRAM(truth.TIME, 0)
    emulator.setRAM(truth.TIME + 1, 1)
    before = truth.player_health(emulator.getRAM())
    assert before > 7
    lives = emulator.getRAM()[truth.LIVES]
    while emulator.getRAM()[truth.LIVES] == lives:
        game.step(0)
    found = game._log.facts()
    assert found["lives_lost"] == {"time": 1}
    assert sum(found["damage"].values()) == truth.FULL_HEALTH - before


@pytest.mark.parametrize(("floor", "blows"), [(1, 0), (2, 1), (3, 4), (4, 2), (5, 5)])
def test_the_bonus_behind_a_boss_is_no_damage(floor: int, blows: int):
    # Recorded RAM from the boss's last blow to the next floor; the player took so many hits of 7.
    with np.load(Path(__file__).with_name("cleared_floors.npz")) as recorded:
        story = recorded[f"floor_{floor}"]
    found = facts(*story)
    assert found["floors_cleared"] == 1
    assert found["lowest_boss_energy"] == 0
    assert found["lives_lost"] == {}
    assert sum(found["damage"].values()) == 7 * blows


def test_a_game_that_is_cut_off_tells_its_facts_too():
    config = EnvConfig(max_episode_frames=40)
    (game,) = make_logged_envs(config, Projection(((66, 72, 200),), ()), 1)
    game.reset(seed=0)
    infos = [game.step(0)[4] for _ in range(10)]
    assert ["facts" in info for info in infos] == [False] * 9 + [True]
    assert infos[-1]["facts"]["lives_lost"] == {}
