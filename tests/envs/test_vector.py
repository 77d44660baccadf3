"""The environment on the real game."""

import ale_py
import gymnasium as gym
import numpy as np
import pytest

from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, Projection, calibrate, make_env_parts, make_envs, vector
from envs.kung_fu_master.ram import KNIFE_COLOUR, SKY_COLOUR

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
    assert obs.shape == (2, *GAME.obs_shape)
    assert obs.dtype == np.uint8
    assert envs.single_action_space.n == reference.action_space.n == GAME.num_actions
    rng = np.random.default_rng(0)
    history = [play_area(screen)] * 4
    score, length, games = 0.0, 0, 0
    for step in range(4000):
        np.testing.assert_array_equal(obs[0], np.stack(history), err_msg=f"step {step}")
        action = int(rng.integers(GAME.num_actions))
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
        frames = [envs.step(rng.integers(GAME.num_actions, size=1))[0][0, -1] for _ in range(150)]
        envs.close()
        return np.stack(frames)

    sticky = trajectory(EnvConfig(), 1)
    np.testing.assert_array_equal(sticky, trajectory(EnvConfig(), 1))
    assert (sticky != trajectory(EnvConfig(), 2)).any()
    exact = EnvConfig(repeat_action_probability=0.0)
    np.testing.assert_array_equal(trajectory(exact, 1), trajectory(exact, 2))


@pytest.mark.parametrize(("parts", "sizes"), [(2, [3, 2]), (3, [2, 2, 1])])
def test_parts_play_the_same_games_as_the_whole(parts: int, sizes: list[int]):
    whole = make_envs(EnvConfig(), PROJECTION, 5)
    made = make_env_parts(EnvConfig(), PROJECTION, 5, parts)
    assert [part.num_envs for part in made] == sizes
    cuts = np.cumsum(sizes)[:-1]
    expected = whole.reset(seed=7)[0]
    found = [
        part.reset(seed=7 + int(first))[0] for part, first in zip(made, (0, *cuts), strict=True)
    ]
    rng = np.random.default_rng(0)
    for _ in range(100):
        np.testing.assert_array_equal(np.concatenate(found), expected)
        actions = rng.integers(GAME.num_actions, size=5)
        expected = whole.step(actions)[0]
        shares = np.split(actions, cuts)
        found = [part.step(share)[0] for part, share in zip(made, shares, strict=True)]
    assert (expected[0] != expected[1]).any()  # five games, not five times one
    for envs in (whole, *made):
        envs.close()


def test_there_are_two_parts_but_never_more_than_games():
    for games, parts, sizes in ((4, None, [2, 2]), (1, None, [1]), (2, 3, [1, 1])):
        given = () if parts is None else (parts,)
        made = make_env_parts(EnvConfig(), PROJECTION, games, *given)
        assert [part.num_envs for part in made] == sizes
        for part in made:
            part.close()


@pytest.mark.parametrize(("threads", "each"), [(1, 1), (2, 1), (6, 3)])
def test_the_parts_share_the_emulator_s_threads(
    threads: int, each: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vector, "make_envs", lambda _, __, size, threads: (size, threads))
    made = make_env_parts(EnvConfig(), PROJECTION, 4, threads=threads)
    assert made == [(2, each)] * 2


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
