"""Collecting: what is stored is what happened."""

import numpy as np
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.collector import Collector
from agent.rollout import Rollout
from encoders import ArtifactDetector, ArtifactDetectorConfig, EncoderConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, CountingEnv

STEPS = 8


class RecordingEnv(CountingEnv):
    """Remembers everything that passed."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__(lengths)
        self.observations: list[np.ndarray] = []
        self.results: list[tuple] = []

    def reset(self, **kwargs):
        obs, infos = super().reset(**kwargs)
        self.observations.append(obs)
        return obs, infos

    def step(self, actions):
        result = super().step(actions)
        self.observations.append(result[0])
        self.results.append((actions, *result[1:]))
        return result


def make_collector(lengths: list[int]) -> tuple[Collector, RecordingEnv]:
    torch.manual_seed(0)
    envs = RecordingEnv(lengths)
    config = ActorCriticConfig(encoder=EncoderConfig(channels=(4, 4, 4)))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config)
    rollout = Rollout(STEPS, len(lengths), OBS_SHAPE, torch.device("cpu"))
    detector = ArtifactDetector(ArtifactDetectorConfig())
    return Collector(envs, model, detector, rollout, seed=0), envs


def test_gathered_stacks_equal_the_environments_own():
    # Episodes of 3, 5, 2 and 100 steps end within, across and beyond two rollouts.
    collector, envs = make_collector([3, 5, 2, 100])
    for part in range(3):
        collector.collect()
        indices = torch.arange(STEPS * 4)
        found = collector.rollout.observations(indices).numpy().reshape(STEPS, 4, *OBS_SHAPE)
        expected = np.stack(envs.observations[part * STEPS : (part + 1) * STEPS])
        np.testing.assert_array_equal(found, expected)


def test_actions_rewards_and_ends_are_stored_as_they_were():
    collector, envs = make_collector([3, 5, 2, 100])
    collector.collect()
    rollout = collector.rollout
    actions, rewards, terminated, truncated = (
        np.stack([result[k] for result in envs.results]) for k in range(4)
    )
    np.testing.assert_array_equal(rollout.actions.numpy(), actions)
    np.testing.assert_array_equal(rollout.rewards.numpy(), rewards)
    np.testing.assert_array_equal(rollout.terminated.numpy(), terminated)
    np.testing.assert_array_equal(rollout.truncated.numpy(), truncated)
    assert truncated.any()
    assert terminated.any()


def test_next_values_are_those_of_the_real_next_observation():
    collector, envs = make_collector([3, 5, 2, 100])
    collector.collect()
    rollout, model = collector.rollout, collector.model
    for t, (_, _, _, truncated, infos) in enumerate(envs.results):
        following = envs.observations[t + 1].copy()
        if truncated.any():
            following[truncated] = infos["final_obs"][truncated]
        with torch.no_grad():
            expected = model(torch.from_numpy(following)).value
        torch.testing.assert_close(rollout.next_values[t], expected, atol=1e-5, rtol=1e-4)


def test_finished_episodes_are_reported_once_with_their_raw_score():
    collector, envs = make_collector([3, 5, 2, 100])
    episodes = collector.collect() + collector.collect()
    # 16 steps: 5 games of 3 steps, 3 of 5, 8 of 2, none of 100.
    assert sorted(episode.length for episode in episodes) == [2] * 8 + [3] * 5 + [5] * 3
    rewards = np.stack([result[1] for result in envs.results])
    finished = rewards[:15, 0].sum() + rewards[:15, 1].sum() + rewards[:16, 2].sum()
    assert sum(episode.score for episode in episodes) == finished


def test_the_region_travels_beside_its_frame():
    # A detector that marks everything in frames of level 12 shows up in just those frames.
    collector, _ = make_collector([3, 5])
    collector.detector = lambda frames: (frames == 12).astype(np.uint8)  # type: ignore[assignment]
    collector.collect()
    collector.collect()
    indices = torch.arange(STEPS * 2)
    obs = collector.rollout.observations(indices)
    regions = collector.rollout.observation_regions(indices)
    torch.testing.assert_close(regions, (obs == 12).to(torch.uint8))
    assert regions.any()
