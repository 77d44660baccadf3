"""Recall and ghosts, counted on reconstructions made by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from agent.rollout import FIDELITY_FEWEST as FEWEST
from agent.rollout import Rollout
from encoders import ArtifactDetectorConfig, make_finder
from encoders.fidelity import artifact_fidelity
from tests.agent.dummy import put_regions

OBS_SHAPE = (4, 32, 40)
STEPS, ENVS = 8, 5
FINDER = make_finder(ArtifactDetectorConfig())


class Drawing:
    """Stands in for the autoencoder: draws by a function of the observations."""

    def __init__(self, reconstruct: Callable[[Tensor], Tensor]) -> None:
        self.reconstruct = reconstruct


def sample(knives: int) -> tuple[Tensor, Tensor]:
    """Games on grey level 128; the newest frames of the first ``knives`` steps have a knife."""
    rollout = Rollout(STEPS, ENVS, OBS_SHAPE, torch.device("cpu"))
    rollout.frames[:] = 128
    rollout.ages[:] = 3
    for t in range(STEPS):
        for n in range(ENVS):
            if t * ENVS + n < knives:
                rollout.frames[3 + t, n, 10:12, 20:24] = 255
        put_regions(
            rollout, np.s_[3 + t], torch.from_numpy(FINDER(rollout.frames[3 + t][:, None].numpy()))
        )
    return rollout.fidelity_sample()


def test_a_perfect_reconstruction_keeps_all_and_adds_nothing():
    metrics = artifact_fidelity(Drawing(lambda obs: obs), FINDER, *sample(15))
    assert metrics == {"artifacts/recall": 1.0, "artifacts/ghost_rate": 0.0}


def test_what_is_not_drawn_is_lost():
    def blank(obs: Tensor) -> Tensor:
        return torch.full_like(obs, 128)

    metrics = artifact_fidelity(Drawing(blank), FINDER, *sample(15))
    assert metrics == {"artifacts/recall": 0.0, "artifacts/ghost_rate": 0.0}


def test_a_knife_drawn_everywhere_is_a_ghost_and_elsewhere_no_recall():
    def ghost(obs: Tensor) -> Tensor:
        drawn = torch.full_like(obs, 128)
        drawn[:, :, 25:27, 5:9] = 255
        return drawn

    metrics = artifact_fidelity(Drawing(ghost), FINDER, *sample(15))
    assert metrics == {"artifacts/recall": 0.0, "artifacts/ghost_rate": 1.0}


def test_a_knife_drawn_seven_pixels_off_is_lost_and_one_two_pixels_off_is_not():
    for shift, recall in ((2, 1.0), (7, 0.0)):

        def moved(obs: Tensor, shift: int = shift) -> Tensor:
            return obs.roll(shift, dims=3)

        metrics = artifact_fidelity(Drawing(moved), FINDER, *sample(15))
        assert metrics["artifacts/recall"] == recall


def test_shares_are_those_of_the_frames():
    def every_other(obs: Tensor) -> Tensor:
        drawn = obs.clone()
        drawn[::2] = 128
        return drawn

    metrics = artifact_fidelity(Drawing(every_other), FINDER, *sample(15))
    assert metrics["artifacts/recall"] == pytest.approx(7 / 15)


def test_only_the_newest_frame_is_judged():
    def older_lost(obs: Tensor) -> Tensor:
        drawn = obs.clone()
        drawn[:, :-1] = 128
        return drawn

    assert artifact_fidelity(Drawing(older_lost), FINDER, *sample(15)) == {
        "artifacts/recall": 1.0,
        "artifacts/ghost_rate": 0.0,
    }


def test_without_such_frames_there_is_no_figure():
    def same(obs: Tensor) -> Tensor:
        assert len(obs) <= FEWEST
        return obs

    assert artifact_fidelity(Drawing(same), FINDER, *sample(0)).keys() == {"artifacts/ghost_rate"}
    assert artifact_fidelity(Drawing(same), FINDER, *sample(STEPS * ENVS)).keys() == {
        "artifacts/recall"
    }
