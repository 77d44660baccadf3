"""One game behind Gymnasium's interface, on the real game."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, SingleEnv, make_envs, single
from envs.kung_fu_master.ram import KNIFE_COLOUR, LIVES, PLAYER_HEALTH, SKY_COLOUR

PROJECTION = Projection((SKY_COLOUR, (180, 122, 48)), (KNIFE_COLOUR,))
EXACT = EnvConfig(repeat_action_probability=0.0)
"""Without sticky actions the same actions make the same game, whatever the seed."""


def play(env: gym.Env, seed: int | None, action: int | None = None) -> np.ndarray:
    """The newest frames of 150 steps with random actions, always the same ones, or with one."""
    rng = np.random.default_rng(0)
    env.reset(seed=seed)
    chosen = [int(rng.integers(GAME.num_actions)) if action is None else action for _ in range(150)]
    return np.stack([env.step(one)[0][-1] for one in chosen])


@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_gymnasium_finds_nothing_to_mend(render_mode: str | None):
    # Whatever the checker only warns of is an error here, as everywhere in these tests.
    env = gym.make(f"envs:{GAME.env_id}", projection=PROJECTION, render_mode=render_mode)
    check_env(env.unwrapped)
    assert env.observation_space.shape == GAME.obs_shape
    assert env.observation_space.dtype == np.uint8
    assert isinstance(env.action_space, gym.spaces.Discrete)
    assert env.action_space.n == GAME.num_actions
    env.close()


def test_it_is_the_game_that_the_agent_is_trained_on():
    unusual = Projection((SKY_COLOUR,), ())  # not what calibration would find
    env, envs = SingleEnv(unusual, EXACT), make_envs(EXACT, unusual, 1)
    rng = np.random.default_rng(0)
    obs, _ = env.reset(seed=3)
    batch, _ = envs.reset(seed=4)
    score, length, games = 0.0, 0, 0
    while games < 2:
        np.testing.assert_array_equal(obs, batch[0])
        action = int(rng.integers(GAME.num_actions))
        obs, reward, terminated, truncated, _ = env.step(action)
        batch, rewards, ended, _, infos = envs.step(np.array([action]))
        assert (reward, terminated, truncated) == (rewards[0], ended[0], False)
        score, length = score + reward, length + 1
        if terminated:
            np.testing.assert_array_equal(obs, infos["final_obs"][0])
            assert (score, length) == (infos["episode"]["r"][0], infos["episode"]["l"][0])
            obs, _ = env.reset()
            score, length, games = 0.0, 0, games + 1
    envs.close()


@pytest.mark.parametrize(
    ("rom", "rows"), [("carnival", (30, 214)), ("pacman", (10, 250)), ("pooyan", (0, 216))]
)
def test_training_and_evaluation_see_the_same_picture_whatever_the_screen(
    rom: str, rows: tuple[int, int]
):
    # Levels of 0, 68 and between for all colours: no two rows are alike for long.
    every = Projection((), ())
    config = replace(EXACT, game=rom, play_area=(*rows, 0, 160))
    env, envs = SingleEnv(every, config), make_envs(config, every, 1)
    rng = np.random.default_rng(0)
    obs, _ = env.reset(seed=3)
    batch, _ = envs.reset(seed=4)
    for _ in range(200):
        np.testing.assert_array_equal(obs, batch[0])
        action = int(rng.integers(envs.single_action_space.n))
        obs, _, over, _, _ = env.step(action)
        batch, _, ended, _, _ = envs.step(np.array([action]))
        assert over == ended[0]
        if over:
            break
    np.testing.assert_array_equal(env.render(), envs.render()[0])
    assert obs.shape == batch[0].shape == (4, rows[1] - rows[0], 160)
    assert len(np.unique(obs)) > 2
    envs.close()


@pytest.mark.parametrize("action", [-1, 14, 99])
def test_an_action_that_is_none_is_refused(action: int):
    # ALE's vector environment would wait for ever, and a list would count from its end.
    env, envs = SingleEnv(PROJECTION), make_envs(EnvConfig(), PROJECTION, 2)
    env.reset(seed=0)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=f"action must be from 0 to 13, got {action}"):
        env.step(action)
    with pytest.raises(ValueError, match=r"actions must be from 0 to 13, got \[ *0 "):
        envs.step(np.array([0, action]))
    envs.step(np.array([0, 13]))
    envs.close()


def test_an_observation_is_the_last_four_frames_of_its_own_game():
    env = SingleEnv(PROJECTION)
    rng = np.random.default_rng(0)
    obs, _ = env.reset(seed=0)
    over, games, history = False, 0, [obs[0]] * 4
    while games < 2:  # each to its end
        np.testing.assert_array_equal(obs, np.stack(history))
        screen = env.render()
        assert screen.shape == (210, 160, 3)
        np.testing.assert_array_equal(obs[-1], PROJECTION(screen[None, 96:160, 8:152])[0])
        if over:
            last = obs
            obs, _ = env.reset()
            assert (obs != last).any(axis=(1, 2)).all()  # no frame of the last game stays
            history, over, games = [obs[-1]] * 4, False, games + 1
        else:
            obs, _, terminated, truncated, _ = env.step(rng.integers(GAME.num_actions))
            history, over = [*history[1:], obs[-1]], terminated or truncated


def test_observations_stay_as_they_were_when_the_game_goes_on():
    env = SingleEnv(PROJECTION)
    obs, _ = env.reset(seed=0)
    kept = [(obs, obs.copy())]
    for action in range(GAME.num_actions):
        obs = env.step(action)[0]
        kept.append((obs, obs.copy()))
    env.reset()
    assert all((one == other).all() for one, other in kept)


def test_a_seed_makes_a_game():
    env = SingleEnv(PROJECTION)
    game = play(env, seed=1)
    np.testing.assert_array_equal(game, play(env, seed=1))
    np.testing.assert_array_equal(game, play(SingleEnv(PROJECTION), seed=1))
    assert (game != play(env, seed=2)).any()


def test_a_reset_without_seed_goes_on_to_another_game():
    env = SingleEnv(PROJECTION)
    first, second = play(env, seed=1), play(env, seed=None)
    assert (first != second).any()
    np.testing.assert_array_equal(play(env, seed=1), first)
    np.testing.assert_array_equal(play(env, seed=None), second)


def test_sticky_actions_are_those_of_the_protocol():
    # If every action is repeated, what was done at the start is done for ever.
    stuck = SingleEnv(PROJECTION, EnvConfig(repeat_action_probability=1.0))
    np.testing.assert_array_equal(play(stuck, seed=1), play(stuck, seed=1, action=0))
    exact = SingleEnv(PROJECTION, EXACT)
    np.testing.assert_array_equal(play(exact, seed=1), play(exact, seed=2))
    assert (play(exact, seed=1) != play(exact, seed=1, action=0)).any()
    assert (play(exact, seed=1) != play(SingleEnv(PROJECTION), seed=1)).any()


@pytest.mark.parametrize(("frameskip", "steps"), [(4, 10), (10, 4)])
def test_the_frame_limit_truncates(frameskip: int, steps: int):
    config = EnvConfig(frameskip=frameskip, max_episode_frames=40)
    env = SingleEnv(PROJECTION, config, render_mode="rgb_array")
    assert env.metadata["render_fps"] == 60 / frameskip
    for _ in range(2):
        env.reset(seed=0)
        ends = [env.step(0)[2:4] for _ in range(steps)]
        assert ends == [(False, False)] * (steps - 1) + [(False, True)]


def test_the_ram_is_the_present_one_and_nobody_elses_to_change():
    env = SingleEnv(PROJECTION)
    env.reset(seed=0)
    for _ in range(60):  # until the player stands on the floor
        env.step(0)
    ram = env.ram
    assert (ram.shape, ram.dtype) == ((128,), np.uint8)
    assert (ram[LIVES], ram[PLAYER_HEALTH]) == (3, 39)
    kept = ram.copy()
    env.step(0)
    assert (env.ram != kept).any()
    np.testing.assert_array_equal(ram, kept)


def test_without_a_projection_one_is_fitted_once(monkeypatch: pytest.MonkeyPatch):
    calls: list[tuple[EnvConfig, int]] = []

    def counted(config: EnvConfig, seed: int) -> Projection:
        calls.append((config, seed))
        return real(config, seed)

    real = single.calibrate
    monkeypatch.setattr(single, "calibrate", counted)
    single.default_projection.cache_clear()
    assert SingleEnv().projection == SingleEnv().projection == PROJECTION
    assert calls == [(EnvConfig(), single.CALIBRATION_SEED)]


def test_a_render_mode_that_it_does_not_know_is_named():
    with pytest.raises(ValueError, match=r"render_mode must be one of .*'rgb_array'.* got 'ansi'"):
        SingleEnv(PROJECTION, render_mode="ansi")
