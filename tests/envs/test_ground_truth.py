"""The boxes that the RAM gives hold what the screen shows."""

import ale_py
import gymnasium as gym
import numpy as np

from envs import NUM_ACTIONS
from envs.ground_truth import (
    BOSS,
    ENEMY,
    ENEMY_HEALTH,
    FLOOR,
    KNIFE_COLOUR,
    LIVES,
    PLAYER_HEALTH,
    SKY_COLOUR,
    TIME,
    Box,
    Kind,
    projectile,
)


def test_boxes_hold_the_projectiles_on_several_floors():
    # A player who cannot die walks on to the boss of the second floor, who throws boomerangs.
    gym.register_envs(ale_py)
    env = gym.make("ALE/KungFuMaster-v5")
    env.reset(seed=1)
    emulator = env.unwrapped.ale
    rng = np.random.default_rng(1)
    whole, boxes, floors, fires = 0, {Kind.KNIFE: 0, Kind.BOOMERANG: 0}, set(), []
    stray = 0
    for _ in range(14_000):
        ram = emulator.getRAM()
        if ram[ENEMY_HEALTH] > 0:
            for address, value in ((PLAYER_HEALTH, 39), (LIVES, 3), (TIME, 16)):
                emulator.setRAM(address, value)
        if ram[ENEMY] == BOSS and ram[ENEMY_HEALTH] > 6:
            emulator.setRAM(ENEMY_HEALTH, 6)
        onward = 3 if ram[FLOOR] % 2 else 2
        action = onward if rng.random() < 0.45 else int(rng.integers(NUM_ACTIONS))
        screen, *_ = env.step(action)
        ram = emulator.getRAM()
        floors.add(int(ram[FLOOR]))
        area = screen[96:160, 8:152]
        dark = (area == KNIFE_COLOUR).all(axis=-1)
        box = projectile(ram)
        if box and box.kind == Kind.DRAGON_FIRE:
            fires.append((area[box.mask(64, 144)] != SKY_COLOUR).any(axis=-1).mean())
        elif box and 0 <= box.left <= 144 - box.width and ram[ENEMY] != BOSS:
            inside = dark & box.mask(64, 144)
            boxes[box.kind] += 1
            # A knife has eight pixels; fewer are shown where a fighter is drawn over it.
            whole += box.kind == Kind.KNIFE and inside.sum() == 8
            stray += box.kind == Kind.KNIFE and (dark & ~box.mask(64, 144, grow=1)).any()
            if box.kind == Kind.BOOMERANG:
                assert inside.sum() >= 4
        elif not box and ram[ENEMY] != BOSS and ram[ENEMY_HEALTH] == 39:
            assert not dark.any()
    env.close()
    assert floors >= {1, 2}
    assert boxes[Kind.KNIFE] > 300
    assert whole > 0.97 * boxes[Kind.KNIFE]
    assert stray < 0.02 * boxes[Kind.KNIFE]


def test_the_mask_is_cut_at_the_edges():
    box = Box(Kind.KNIFE, top=0, left=-2, height=2, width=5)
    assert np.argwhere(box.mask(4, 6)).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert box.mask(4, 6, grow=1).sum() == 3 * 4
    assert not Box(Kind.KNIFE, 0, 145, 2, 5).mask(64, 144).any()
