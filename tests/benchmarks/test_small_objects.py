"""What the RAM says of small things is what the screen shows."""

import ale_py
import cv2
import gymnasium as gym
import numpy as np
import pytest

from benchmarks.small_objects import SMALL_OBJECTS, SmallObject, byte, timed, visible
from envs.games import find_game

# Of each game an object, its height and width on the screen, rows where nothing else has its colour
# and shape, and how many times it is seen at least.
SHOWN = {
    "breakout": ("ball", (4, 2), (100, 185), 100),
    "pong": ("ball", (4, 2), (36, 194), 200),
    "space_invaders": ("shot", (8, 1), (20, 150), 100),
    "assault": ("shot", (8, 1), (60, 170), 100),
    "phoenix": ("shot", (6, 1), (60, 165), 50),
    "carnival": ("shot", (5, 1), (60, 180), 200),
    "galaxian": ("shot", (3, 1), (20, 165), 200),
    "riverraid": ("shot", (8, 1), (10, 140), 100),
    "seaquest": ("torpedo", (1, 8), (60, 160), 100),
}


def play(rom: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Screens (T, H, W) in ALE's colours and RAM (T, 128) of random play."""
    gym.register_envs(ale_py)
    env = gym.make(find_game(rom).ale_id)
    ale = env.unwrapped.ale
    rng = np.random.default_rng(1)
    screens, ram = [], []
    over = True
    for _ in range(steps):
        if over:
            env.reset(seed=len(screens))
        screens.append(ale.getScreen().copy())
        ram.append(ale.getRAM().copy())
        *_, terminated, truncated, _ = env.step(rng.integers(env.action_space.n))
        over = terminated or truncated
    env.close()
    return np.stack(screens), np.stack(ram)


def shown(screen: np.ndarray, colours: tuple[int, ...], size: tuple[int, int]) -> list[np.ndarray]:
    """The pixels of each part of a screen that has a size and one of the colours, as masks."""
    found = []
    for colour in colours:
        same = (screen == colour).astype(np.uint8)
        _, numbers, boxes, _ = cv2.connectedComponentsWithStats(same)
        for number, (_, _, width, height, area) in enumerate(boxes):
            if (height, width) == size and area == height * width and number:
                found.append(numbers == number)
    return found


@pytest.mark.parametrize("rom", SHOWN)
def test_every_such_thing_on_the_screen_is_where_the_ram_says_and_nowhere_else(rom: str):
    name, size, (first, last), least = SHOWN[rom]
    (thing,) = [one for one in SMALL_OBJECTS[rom] if one.name == name]
    all_of_them = SMALL_OBJECTS[rom]
    screens, ram = play(rom, 1500)
    own = thing.pixels(screens, ram)
    anyones = np.any([one.pixels(screens, ram) for one in all_of_them], axis=0)
    seen = right = 0
    for t, screen in enumerate(screens):
        inside = np.zeros_like(screen)
        inside[first:last] = screen[first:last]
        for part in shown(inside, thing.colours, size):
            seen += 1
            right += bool(anyones[t][part].all())
    assert seen >= least
    assert right >= 0.98 * seen
    areas = own[:, first:last].sum(axis=(1, 2))
    assert (areas == size[0] * size[1]).sum() >= 0.5 * least


def test_a_sprite_of_beam_rider_is_in_the_rows_that_the_ram_says():
    screens, ram = play("beam_rider", 1500)
    sprites = SMALL_OBJECTS["beam_rider"]
    own = np.any([sprite.pixels(screens, ram) for sprite in sprites], axis=0)
    things = np.isin(screens, sprites[0].colours)
    things[:, :43] = things[:, 160:] = False  # above and below the field
    small = things.sum(axis=(1, 2)) <= 24
    assert things[small].sum() > 1000
    assert own[small][things[small]].mean() > 0.97


def test_positions_are_read_as_the_machine_keeps_them():
    ram = np.zeros((3, 128), np.uint8)
    ram[:, 5] = (10, 250, 0x35)
    assert byte(5, 3)(ram).tolist() == [13, -3, 56]
    assert byte(5, 0, 2)(ram).tolist() == [20, -12, 106]
    assert byte(5, 100, -1)(ram).tolist() == [90, 106, 47]
    # 0x35: started after 5 x 15 pixels, moved 3 to the left; 0xFA: after 150, moved 1 to the right.
    assert timed(5, 0)(ram)[2] == 72
    assert timed(5, 0)(ram)[1] == 151


def test_what_touches_its_own_colour_and_what_rests_are_told_apart():
    screens = np.zeros((4, 20, 20), np.uint8)
    for t in range(4):
        screens[t, 3, 2 * t + 1] = 7
    thing = SmallObject("dot", lambda ram: 2 * np.arange(len(ram)) + 1, None, (0, 1), (7,))
    own = thing.pixels(screens, np.zeros((4, 128), np.uint8))
    assert own.sum() == 4
    stacks = np.maximum(np.arange(4)[:, None] + np.arange(-3, 1), 0)
    first = visible(own, screens, stacks)
    assert first.seen.tolist() == [False, True, True, True]
    assert first.resting.tolist() == [True, False, False, False]  # a first frame shows no motion
    screens[2, 4, 6] = 7  # beside it
    assert visible(own, screens, stacks).merged.tolist() == [False, False, True, False]
