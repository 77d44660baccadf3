"""What is recorded computes the same bits, for other inputs and later weights, too."""

import numpy as np
import pytest
import torch
from torch import nn

from agent import traced as module
from agent.acting import Acting
from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.traced import traced
from encoders import AutoencoderConfig, EncoderConfig, LocatorConfig, Points
from encoders.encoder import channels_last
from experiment.config import TrainConfig
from experiment.model import make_model
from tests.agent.dummy import GAUGES, NUM_ACTIONS, OBS_SHAPE

GAMES = 3


@pytest.fixture(autouse=True)
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is tested here; see ``tests/conftest.py``."""
    monkeypatch.setattr(module, "SUPPORTED", True)


def small_model(**settings) -> ActorCritic:
    torch.manual_seed(0)
    locator = LocatorConfig(count=2, channels=(4, 4))
    config = AutoencoderConfig(EncoderConfig(channels=(4, 8)), locator=locator)
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(config, **settings), GAUGES)


def moved(model: nn.Module) -> None:
    """Change every parameter and every buffer with a fraction in place, as training does."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor += 0.1 * torch.rand_like(tensor)


def inputs(model: ActorCritic, seed: int) -> tuple[torch.Tensor, torch.Tensor, Points]:
    """Observations, gauges and points of ``GAMES`` games."""
    rng = torch.Generator().manual_seed(seed)
    shape = model.autoencoder.obs_shape
    obs = torch.randint(0, 255, (GAMES, *shape), dtype=torch.uint8, generator=rng)
    gauges = torch.rand(GAMES, model.critic[0].in_features - model.actor.hidden.in_features)
    count = model.autoencoder.config.locator.count
    places = 15 * torch.rand(GAMES, shape[0], count, 2, generator=rng)
    present = torch.rand(GAMES, shape[0], count, generator=rng) < 0.7
    return channels_last(obs), gauges, Points(places, present)


def compare(model: ActorCritic) -> None:
    """Record with one input, change the weights, and play with others."""
    model.requires_grad_()
    quick, plain = Acting(model), Acting(model)
    obs, gauges, points = inputs(model, 0)
    quick.record(obs, gauges, model.autoencoder.track(points), points)
    assert quick.see is not quick._see
    moved(model)
    for seed in range(1, 6):  # TorchScript optimises what has run twice
        obs, gauges, points = inputs(model, seed)
        begins = torch.tensor([seed % 2 == 0, True, False])
        frames = obs[:, -1].contiguous()
        with torch.no_grad():
            tracks = plain.link(*points)
            for one, other in zip(
                (quick.link(*points), *quick.follow(frames, begins, *points),
                 *quick.see(obs, gauges, tracks)),
                (tracks, *plain.follow(frames, begins, *points), *plain.see(obs, gauges, tracks)),
                strict=True,
            ):  # fmt: skip
                assert torch.equal(one, other)
                assert not one.requires_grad
    assert tracks.std() > 0.1


@pytest.mark.parametrize(
    "settings", [{}, {"experts": 3, "expert_by": "clock"}, {"critic_sees_gauges": False}]
)
def test_a_recorded_network_acts_alike(settings: dict):
    compare(small_model(**settings))


def test_the_default_network_acts_alike():
    torch.manual_seed(0)
    compare(make_model(TrainConfig()))


def test_what_cannot_be_recorded_stays_as_it_is(monkeypatch: pytest.MonkeyPatch):
    masked = ActorCritic(
        OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(AutoencoderConfig(mask_channel=True)), GAUGES
    )
    acting = Acting(masked)
    before = acting.see
    obs, gauges, points = inputs(small_model(), 0)
    acting.record(obs, gauges, points.places, points)
    assert acting.see == before
    monkeypatch.setattr(module, "SUPPORTED", False)
    assert traced(masked, np.sum, ()) is np.sum


def test_a_recorded_function_needs_no_lock():
    # Only then can another thread act meanwhile; a Python function in it would need one.
    acting, model = Acting(small_model()), small_model()
    obs, gauges, points = inputs(model, 0)
    acting.record(obs, gauges, model.autoencoder.track(points), points)
    recorded = acting.see.__closure__
    assert recorded
    graphs = [cell.cell_contents.graph for cell in recorded if hasattr(cell.cell_contents, "graph")]
    assert graphs
    assert "PythonOp" not in str(graphs[0])
