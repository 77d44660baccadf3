"""The environment on the real game."""

import ale_py
import gymnasium as gym
import numpy as np
import pytest

from envs import (
    NUM_ACTIONS,
    OBSERVATION_SHAPE,
    EnvConfig,
    Projection,
    calibrate,
    make_envs,
    make_halves,
)
from envs.ground_truth import KNIFE_COLOUR, SKY_COLOUR

gym.register_envs(ale_py)
PROJECTION = Projection((SKY_COLOUR, (180, 122, 48)), (KNIFE_COLOUR,))


def reference_env(sticky: float) -> gym.Env:
    """The same game through Gymnasium's single environment, whose RAM can be read."""
    return gym.make("ALE/KungFuMaster-v5", repeat_action_probability=sticky)


def play_area(screen: np.ndarray) -> np.ndarray:
    return PROJECTION(screen[None, 96:160, 8:152])[0]


def test_observations_and_rewards_equal_the_single_environment():
    # Without sticky actions the game is deterministic: the same actions give the same frames.
    envs = make_envs(EnvConfig(repeat_action_probability=0.0), PROJECTION, num_envs=2)
    reference = reference_env(0.0)
    obs, _ = envs.reset(seed=0)
    screen, _ = reference.reset(seed=0)
    assert obs.shape == (2, *OBSERVATION_SHAPE)
    assert obs.dtype == np.uint8
    assert envs.single_action_space.n == reference.action_space.n == NUM_ACTIONS
    rng = np.random.default_rng(0)
    history = [play_area(screen)] * 4
    score, length, games = 0.0, 0, 0
    for step in range(4000):
        np.testing.assert_array_equal(obs[0], np.stack(history), err_msg=f"step {step}")
        action = int(rng.integers(NUM_ACTIONS))
        obs, rewards, terminated, truncated, infos = envs.step(np.array([action, 0]))
        screen, reward, over, _, _ = reference.step(action)
        assert rewards[0] == reward
        assert terminated[0] == over
        assert not truncated[0]
        score, length = score + float(reward), length + 1
        history = [*history[1:], play_area(screen)]
        if over:
            # The last observation is kept; the stack starts anew from one frame.
            np.testing.assert_array_equal(infos["final_obs"][0], np.stack(history))
            assert infos["_episode"][0]
            assert (infos["episode"]["r"][0], infos["episode"]["l"][0]) == (score, length)
            assert score >= 100  # raw scores, not signs
            screen, _ = reference.reset()
            history, score, length, games = [play_area(screen)] * 4, 0.0, 0, games + 1
            if games == 2:
                break
    assert games == 2
    assert envs.render()[0].shape == (210, 160, 3)
    envs.close()


def test_the_frame_limit_truncates_with_the_real_last_observation():
    envs = make_envs(EnvConfig(max_episode_frames=40), PROJECTION, num_envs=1)
    obs, _ = envs.reset(seed=0)
    for step in range(1, 21):
        before = obs
        obs, _, terminated, truncated, infos = envs.step(np.array([0]))
        assert not terminated.any()
        assert truncated.all() == (step % 10 == 0)
        if truncated.all():
            np.testing.assert_array_equal(infos["final_obs"][0, :3], before[0, 1:])
            assert infos["episode"]["l"][0] == 10
    envs.close()


def test_sticky_actions_are_on_by_default_and_seeded():
    def trajectory(config: EnvConfig, seed: int) -> np.ndarray:
        envs = make_envs(config, PROJECTION, num_envs=1)
        envs.reset(seed=seed)
        rng = np.random.default_rng(0)
        frames = [envs.step(rng.integers(NUM_ACTIONS, size=1))[0][0, -1] for _ in range(150)]
        envs.close()
        return np.stack(frames)

    sticky = trajectory(EnvConfig(), 1)
    np.testing.assert_array_equal(sticky, trajectory(EnvConfig(), 1))
    assert (sticky != trajectory(EnvConfig(), 2)).any()
    exact = EnvConfig(repeat_action_probability=0.0)
    np.testing.assert_array_equal(trajectory(exact, 1), trajectory(exact, 2))


def test_halves_play_the_same_games_as_the_whole():
    whole, halves = make_envs(EnvConfig(), PROJECTION, 5), make_halves(EnvConfig(), PROJECTION, 5)
    assert [half.num_envs for half in halves] == [3, 2]
    whole.reset(seed=7)
    for half, first in zip(halves, (0, 3), strict=True):
        half.reset(seed=7 + first)
    rng = np.random.default_rng(0)
    for _ in range(100):
        actions = rng.integers(NUM_ACTIONS, size=5)
        expected = whole.step(actions)[0]
        found = [
            half.step(part)[0]
            for half, part in zip(halves, (actions[:3], actions[3:]), strict=True)
        ]
        np.testing.assert_array_equal(np.concatenate(found), expected)
    for envs in (whole, *halves):
        envs.close()
    (only,) = make_halves(EnvConfig(), PROJECTION, 1)
    assert only.num_envs == 1
    only.close()


def test_observations_stay_as_they_were_when_the_game_goes_on():
    envs = make_envs(EnvConfig(), PROJECTION, 2)
    obs, _ = envs.reset(seed=0)
    kept = [(obs, obs.copy())]
    for _ in range(120):
        obs = envs.step(np.array([3, 5]))[0]
        kept.append((obs, obs.copy()))
    assert all((one == other).all() for one, other in kept)
    assert any((one[0] != kept[0][0]).any() for one in kept)
    envs.close()


def test_calibration_finds_the_knife_in_random_play():
    assert calibrate(EnvConfig(), seed=0) == PROJECTION


@pytest.mark.parametrize(
    ("field", "value"),
    [("repeat_action_probability", 1.5), ("frameskip", 0), ("max_episode_frames", 3)],
)
def test_impossible_settings_are_named(field: str, value: float):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        EnvConfig(**{field: value})
