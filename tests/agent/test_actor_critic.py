"""The two heads: what each of them sees, and returns of any size."""

import math

import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig, act
from agent.heads import ReturnHead
from encoders import AutoencoderConfig, EncoderConfig, LocatorConfig, Points
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, STAGES, obey_the_stage

GAUGES = ("health", "stage_1", "stage_2", "clock")


def make_model(gauges: tuple[str, ...] = GAUGES, **settings) -> ActorCritic:
    torch.manual_seed(0)
    encoder = EncoderConfig(channels=(4, 8))
    config = ActorCriticConfig(AutoencoderConfig(encoder, bfloat16=False), **settings)
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, gauges)


@pytest.mark.parametrize(
    ("settings", "actor", "critic"),
    [
        ({}, {"stage_1", "stage_2"}, set(GAUGES)),
        ({"actor_sees_stage": False}, set(), set(GAUGES)),
        ({"critic_sees_gauges": False}, {"stage_1", "stage_2"}, set()),
    ],
)
def test_the_actor_sees_the_stage_alone_and_the_critic_all(
    settings: dict[str, bool], actor: set[str], critic: set[str]
):
    model = make_model(**settings)
    obs = torch.randint(256, (2, *OBS_SHAPE), dtype=torch.uint8)
    gauges = torch.zeros(2, len(GAUGES), requires_grad=True)
    policy, value, _ = model(obs, gauges)
    for output, expected in ((policy.logits[:, 0], actor), (value, critic)):
        (seen,) = torch.autograd.grad(
            output.sum(), gauges, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        assert {name for name, grad in zip(GAUGES, seen[0], strict=True) if grad} == expected


def test_a_game_without_gauges_needs_none():
    model = make_model(gauges=())
    obs = torch.zeros((3, *OBS_SHAPE), dtype=torch.uint8)
    assert torch.equal(model(obs).value, model(obs, torch.zeros(3, 0)).value)
    generator = torch.Generator().manual_seed(0)
    assert len(act(model, list(obs.numpy()), [{}] * 3, generator)) == 3


def test_actions_follow_the_policy_of_observation_and_gauges():
    model = make_model(STAGES)
    obey_the_stage(model)
    obs = [np.zeros(OBS_SHAPE, np.uint8)] * 20
    stages = [np.float32([stage, 1 - stage]) for stage in (1, 0) * 10]
    generator = torch.Generator().manual_seed(0)
    actions = act(model, obs, [{"gauges": stage} for stage in stages], generator)
    assert (set(actions[::2]), set(actions[1::2])) == ({2}, {0})


def test_what_is_learned_on_one_stage_leaves_the_choice_on_another_alone():
    model = make_model(STAGES)
    obs = torch.randint(256, (2, *OBS_SHAPE), dtype=torch.uint8)
    first, second = torch.eye(2)
    before = model(obs, second.expand(2, 2)).policy.logits
    model(obs, first.expand(2, 2)).policy.logits[:, 0].sum().backward()
    with torch.no_grad():
        for parameter in model.actor.last.parameters():
            parameter -= parameter.grad
    assert torch.equal(model(obs, second.expand(2, 2)).policy.logits, before)
    assert (model(obs, first.expand(2, 2)).policy.logits[:, 0] < before[:, 0]).all()


@pytest.mark.parametrize(
    ("by", "shown", "expert"),
    [
        ("stage", [0, 1, 0, 0], 1),
        ("stage", [0, 0, 1, 0], 2),
        ("clock", [0, 1, 0, 0.2], 1),
        ("clock", [0, 1, 0, 0.8], 2),
        ("stage_2", [0, 1, 0, 0.8], 1),
    ],
)
def test_a_gauge_chooses_the_expert_that_learns(by: str, shown: list[float], expert: int):
    model = make_model(experts=2, expert_by=by)
    obs = torch.randint(256, (3, *OBS_SHAPE), dtype=torch.uint8)
    model(obs, torch.tensor([shown] * 3, dtype=torch.float32)).value.sum().backward()
    for number in (1, 2):
        gradients = [one.grad for one in model.parts()[f"expert_{number}"]]
        assert any(one is not None and one.any() for one in gradients) == (number == expert)


def test_a_gauge_that_is_not_there_cannot_choose_experts():
    told = r"expert_by must be a gauge of the game \(health, stage, clock\), got floor"
    with pytest.raises(ValueError, match=told):
        make_model(experts=2, expert_by="floor")
    with pytest.raises(ValueError, match=r"\(none\), got stage"):
        make_model(gauges=(), experts=2)


def test_new_statistics_change_no_prediction():
    torch.manual_seed(0)
    head, features = ReturnHead(5), torch.randn(7, 5)
    before = head(features)
    for returns in (torch.randn(50) * 30 + 200, torch.randn(50) * 3 - 8):
        head.fit(returns.mean(), returns.square().mean())
        torch.testing.assert_close(head(features), before, rtol=1e-4, atol=1e-4)
    # Mean and deviation of all 100 returns: 96 and the root of (30^2 + 3^2) / 2 + 104^2.
    assert head.mean.item() == pytest.approx(96, abs=5)
    assert head.std.item() == pytest.approx(math.hypot(104, 21.3), rel=0.05)


def test_returns_that_hardly_differ_are_not_blown_up_and_bad_ones_are_passed_over():
    head = ReturnHead(2)
    head.fit(torch.tensor(3.0), torch.tensor(9.0))
    assert head.std.item() == pytest.approx(ReturnHead.SMALLEST)
    head.fit(torch.tensor(math.nan), torch.tensor(1.0))
    assert (head.mean.item(), head.count.item()) == (3.0, 1)


def test_actor_and_critic_see_maps_of_the_artifacts_that_are_there_now():
    torch.manual_seed(0)
    config = AutoencoderConfig(bfloat16=False, locator=LocatorConfig(count=2))
    model = ActorCritic(OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(config))
    assert model.actor.hidden.in_features == 64 + 10 + 3 * 2 * 3  # maps, cells of 8 x 8 pixels
    with torch.no_grad():  # nothing but the maps
        model.actor.hidden.weight[:, :74] = 0.0
        model.critic[0].weight[:, :74] = 0.0
    obs = torch.zeros(5, *OBS_SHAPE, dtype=torch.uint8)
    places = torch.zeros(5, 4, 2, 2)
    present = torch.zeros(5, 4, 2, dtype=torch.bool)
    one, other = torch.tensor([[3.0, 4.0], [11.0, 20.0]])
    for n, (frame, found) in enumerate([(3, [one]), (3, [other]), (3, [one, other])]):
        for k, place in enumerate(found):
            places[n, frame, k], present[n, frame, k] = place, True
    places[3], present[3] = places[2].flip(1), present[2]  # the same in another order
    places[4, 0, 0], present[4, 0, 0] = one, True  # gone
    tracks = model.autoencoder.track(Points(places, present))
    first, second, both, turned, gone = model(obs, tracks=tracks).value.tolist()
    nothing = model(
        obs[:1], tracks=model.autoencoder.track(Points(places[:1], present[:1] & False))
    )
    assert len({round(value, 5) for value in (first, second, both, gone)}) == 4
    assert turned == pytest.approx(both)
    assert gone == pytest.approx(nothing.value.item())
