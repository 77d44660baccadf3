"""Collecting: what is stored is what happened."""

import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.collector import Collector
from agent.rollout import Rollout
from encoders import (
    ArtifactDetectorConfig,
    AutoencoderConfig,
    EncoderConfig,
    LocatorConfig,
    RegionFinder,
    make_finder,
)
from tests.agent.dummy import GAUGES, NUM_ACTIONS, OBS_SHAPE, CountingEnv

STEPS = 8


class RecordingEnv(CountingEnv):
    """Remembers everything that passed."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__(lengths)
        self.observations: list[np.ndarray] = []
        self.results: list[tuple] = []

    def reset(self, **kwargs):
        obs, infos = super().reset(**kwargs)
        self.first_infos = infos
        self.observations.append(obs)
        return obs, infos

    def step(self, actions):
        result = super().step(actions)
        self.observations.append(result[0])
        self.results.append((actions, *result[1:]))
        return result


def make_rollout(model: ActorCritic, num_envs: int) -> Rollout:
    sizes = (len(GAUGES), model.autoencoder.track_units)
    return Rollout(STEPS, num_envs, OBS_SHAPE, torch.device("cpu"), *sizes)


def make_collector(
    *lengths: list[int], held_out: float = 0.0
) -> tuple[Collector, list[RecordingEnv], ActorCritic]:
    """A collector over one part of the environments for each list of episode lengths."""
    torch.manual_seed(0)
    parts = [RecordingEnv(part) for part in lengths]
    config = ActorCriticConfig(AutoencoderConfig(EncoderConfig(channels=(4, 4))))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, GAUGES)
    rollout = make_rollout(model, sum(map(len, lengths)))
    finder = make_finder(ArtifactDetectorConfig())
    return Collector(parts, model, finder, rollout, 0, held_out), parts, model


def side_by_side(parts: list[list[np.ndarray]]) -> np.ndarray:
    """(T, n, ...) of every part to (T, N, ...)."""
    return np.concatenate([np.stack(part) for part in parts], axis=1)


def test_gathered_stacks_equal_the_environments_own():
    # Episodes of 3, 5, 2 and 100 steps end within, across and beyond two rollouts.
    collector, parts, _ = make_collector([3, 5], [2, 100])
    for k in range(3):
        collector.collect()
        indices = torch.arange(STEPS * 4)
        found = collector.rollout.observations(indices).numpy().reshape(STEPS, 4, *OBS_SHAPE)
        observed = side_by_side([part.observations for part in parts])
        np.testing.assert_array_equal(found, observed[k * STEPS : (k + 1) * STEPS])


def test_whole_episodes_are_held_out_and_about_as_many_as_asked():
    collector, _, _ = make_collector([3] * 20, [3] * 20, held_out=0.25)
    chosen, episodes = 0, 0
    carried = None
    for _ in range(10):
        collector.collect()
        held = collector.rollout.held_out
        ended = collector.rollout.terminated | collector.rollout.truncated
        if carried is not None:
            assert torch.equal(held[0][~carried[1]], carried[0][~carried[1]])
        same = held[1:] == held[:-1]
        assert same[~ended[:-1]].all()
        chosen += int(held[ended].sum())
        episodes += int(ended.sum())
        carried = held[-1].clone(), ended[-1].clone()
    assert episodes > 900
    assert chosen / episodes == pytest.approx(0.25, abs=0.04)


def test_nothing_is_held_out_by_default():
    collector, _, _ = make_collector([3, 5], [2, 100])
    collector.collect()
    assert not collector.rollout.held_out.any()


def test_actions_rewards_and_ends_are_stored_as_they_were():
    collector, parts, _ = make_collector([3, 5], [2, 100])
    collector.collect()
    rollout = collector.rollout
    actions, rewards, terminated, truncated = (
        side_by_side([[result[k] for result in part.results] for part in parts]) for k in range(4)
    )
    np.testing.assert_array_equal(rollout.actions.numpy(), actions)
    np.testing.assert_array_equal(rollout.rewards.numpy(), rewards)
    np.testing.assert_array_equal(rollout.terminated.numpy(), terminated)
    np.testing.assert_array_equal(rollout.truncated.numpy(), truncated)
    assert truncated.any()
    assert terminated.any()


def test_gauges_are_those_of_the_observations_and_changes_those_of_the_steps():
    collector, parts, _ = make_collector([3, 5], [2, 100])
    for k in range(2):
        collector.collect()
        rollout = collector.rollout
        for first, envs in zip((0, 2), parts, strict=True):
            infos = [envs.first_infos, *(result[-1] for result in envs.results)]
            for t in range(STEPS):
                step = k * STEPS + t
                columns = slice(first, first + 2)
                found = rollout.gauges[t, columns].numpy()
                np.testing.assert_array_equal(found, infos[step]["gauges"])
                found = rollout.changes[t, columns].numpy()
                np.testing.assert_array_equal(found, infos[step + 1]["changes"])


def test_next_values_are_those_of_the_real_next_observation():
    collector, parts, model = make_collector([3, 5], [2, 100])
    collector.collect()
    rollout = collector.rollout
    for first, envs in zip((0, 2), parts, strict=True):
        for t, (_, _, _, truncated, infos) in enumerate(envs.results):
            following = envs.observations[t + 1].copy()
            gauges = infos["gauges"].copy()
            if truncated.any():
                following[truncated] = infos["final_obs"][truncated]
                gauges[truncated] = infos["final_gauges"][truncated]
            with torch.no_grad():
                expected = model(torch.from_numpy(following), torch.from_numpy(gauges)).value
            found = rollout.next_values[t, first : first + 2]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_rollout_whatever_was_drawn_before():
    def actions(seed: int, drawn: int) -> torch.Tensor:
        _, _, model = make_collector([20, 20])
        rollout = make_rollout(model, 4)
        finder = make_finder(ArtifactDetectorConfig())
        parts = [CountingEnv([20, 20]), CountingEnv([20, 20])]
        collector = Collector(parts, model, finder, rollout, seed)
        torch.rand(drawn)
        collector.collect()
        return rollout.actions

    first = actions(1, drawn=1)
    assert torch.equal(first, actions(1, drawn=7))
    assert not torch.equal(first, actions(2, drawn=1))
    # The parts draw different numbers, although their policies see the same.
    assert not torch.equal(first[:, :2], first[:, 2:])


def test_tracks_are_those_that_the_observations_show():
    # Each frame is looked at once, when it arrives; across rollouts and episodes.
    torch.manual_seed(0)
    locator = LocatorConfig(count=2, channels=(4, 4))
    encoder = EncoderConfig(channels=(4, 4))
    config = AutoencoderConfig(encoder, bfloat16=False, locator=locator)
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(config), GAUGES)
    model.autoencoder.fit_normalizer(torch.randint(0, 30, (20, *OBS_SHAPE[1:]), dtype=torch.uint8))
    with torch.no_grad():  # somewhere between always and never, and elsewhere in every frame
        last = model.autoencoder.locator.layers[-1]
        last.weight *= 10
        last.bias[0] = 0.0
    rollout = make_rollout(model, 4)
    parts = [CountingEnv([3, 5]), CountingEnv([2, 100])]
    collector = Collector(parts, model, make_finder(ArtifactDetectorConfig()), rollout, seed=0)
    for _ in range(3):
        collector.collect()
        obs = rollout.observations(torch.arange(STEPS * 4))
        expected = model.autoencoder.encode(obs)[:, -model.autoencoder.track_units :]
        found = rollout.tracks.flatten(0, 1)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    assert found.std(dim=0).max() > 0.1


def test_what_one_part_raises_is_raised():
    collector, parts, _ = make_collector([3, 5], [2, 100])

    def broken(_actions: np.ndarray) -> None:
        raise OSError("the emulator is gone")

    parts[1].step = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="the emulator is gone"):
        collector.collect()


def test_finished_episodes_are_reported_once_with_their_raw_score():
    collector, (envs,), _ = make_collector([3, 5, 2, 100])
    episodes = collector.collect() + collector.collect()
    # 16 steps: 5 games of 3 steps, 3 of 5, 8 of 2, none of 100.
    assert sorted(episode.length for episode in episodes) == [2] * 8 + [3] * 5 + [5] * 3
    rewards = np.stack([result[1] for result in envs.results])
    finished = rewards[:15, 0].sum() + rewards[:15, 1].sum() + rewards[:16, 2].sum()
    assert sum(episode.score for episode in episodes) == finished


def test_the_region_travels_beside_its_frame():
    # A detector that marks everything in frames of level 12 shows up in just those frames.
    _, parts, model = make_collector([3, 5])
    rollout = make_rollout(model, 2)

    def marked(obs: np.ndarray) -> np.ndarray:
        return (obs[:, -1] == 12).astype(np.uint8)

    collector = Collector(parts, model, RegionFinder(marked, margin=0), rollout, seed=0)
    collector.collect()
    collector.collect()
    indices = torch.arange(STEPS * 2)
    obs = collector.rollout.observations(indices)
    regions = collector.rollout.observation_regions(indices)
    torch.testing.assert_close(regions, (obs == 12).to(torch.uint8))
    assert regions.any()
    # Whether a frame has any is noted when it arrives: the regions are not scanned again.
    in_newest = (regions[:, -1] != 0).flatten(1).any(dim=1)
    in_any = (regions != 0).flatten(1).any(dim=1)
    rollout.regions.zero_()
    assert torch.equal(rollout.has_artifact.flatten(), in_newest)
    assert torch.equal(rollout.any_artifact, in_any)
    assert in_newest.sum() < in_any.sum()
    found = rollout.spread(1000, artifact=True)
    assert torch.equal(found, in_newest.nonzero().flatten())
