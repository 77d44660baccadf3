"""What TensorBoard gets: read back from the event files."""

from pathlib import Path

import cv2
import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard.writer import SummaryWriter

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.monitor import Monitor
from agent.pictures import HEADER, SCALE
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, EncoderConfig
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE

ROW = OBS_SHAPE[1] * SCALE + 2


def read(log_dir: Path) -> EventAccumulator:
    return EventAccumulator(str(log_dir), size_guidance={"scalars": 0, "images": 0}).Reload()


def make_rollout(knife_at: int | None) -> Rollout:
    """Eight steps of six games on grey level 100 + game; perhaps one frame with an artifact."""
    rollout = Rollout(8, 6, OBS_SHAPE, torch.device("cpu"))
    rollout.frames[:] = torch.arange(100, 106, dtype=torch.uint8)[None, :, None, None]
    rollout.ages[:] = 3
    if knife_at is not None:
        rollout.frames[3 + knife_at, 2, 5, 5:9] = 255
        rollout.regions[3 + knife_at, 2, 4:7, 4:10] = 1
    return rollout


def shown_knives(image: np.ndarray) -> list[bool]:
    """For each row of a grid, whether its input column holds the bright knife."""
    inputs = image[HEADER:, : OBS_SHAPE[2] * SCALE]
    return [bool((inputs[top : top + ROW - 2] == 255).any()) for top in range(0, len(inputs), ROW)]


def test_scalars_and_images_are_really_in_the_file(tmp_path: Path):
    model = ActorCritic(
        OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(encoder=EncoderConfig(channels=(4, 4)))
    )
    monitor = Monitor(tmp_path, 0, print)
    monitor.scalars({"loss/policy": 0.5, "episode/return": 100.0}, steps=16)
    image = monitor.reconstructions(model, make_rollout(4), ArtifactWeightsConfig(), steps=16)
    monitor.close()
    events = read(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("loss/policy")] == [(16, 0.5)]
    (event,) = events.Images("reconstruction/samples")
    stored = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(stored[..., ::-1], image)


def test_a_frame_with_an_artifact_is_always_shown_once_one_was_seen(tmp_path: Path):
    model = ActorCritic(
        OBS_SHAPE, NUM_ACTIONS, ActorCriticConfig(encoder=EncoderConfig(channels=(4, 4)))
    )
    monitor, config = Monitor(tmp_path, 0, print), ArtifactWeightsConfig()
    none, one = make_rollout(None), make_rollout(4)
    assert not any(shown_knives(monitor.reconstructions(model, none, config, 1)))
    assert shown_knives(monitor.reconstructions(model, one, config, 2))[0]
    monitor.remember(one)
    monitor.remember(none)  # does not forget
    one.frames.zero_()  # the rollout's memory is used again
    shown = shown_knives(monitor.reconstructions(model, none, config, 3))
    assert shown == [True, False, False, False]
    monitor.close()


def test_curves_have_no_second_tail_after_a_resume(tmp_path: Path):
    first = Monitor(tmp_path, 0, print)
    for steps in (10, 20, 30):
        first.scalars({"loss/policy": 1.0}, steps)
    first.close()
    # The run died after 30 steps, its last checkpoint was at 20.
    second = Monitor(tmp_path, 20, print)
    second.scalars({"loss/policy": 2.0}, 30)
    second.close()
    events = read(tmp_path).Scalars("loss/policy")
    assert [(event.step, event.value) for event in events] == [(10, 1.0), (20, 1.0), (30, 2.0)]


def test_a_full_disk_ends_the_events_and_not_the_training(tmp_path: Path, monkeypatch):
    warnings: list[str] = []
    monitor = Monitor(tmp_path, 0, warnings.append)
    monitor.scalars({"loss/policy": 1.0}, 16)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SummaryWriter, "add_scalar", no_space)
    for steps in (32, 48):
        monitor.scalars({"loss/policy": 1.0}, steps)
    monitor.close()
    assert warnings == ["warning: TensorBoard's events end here: No space left on device"]


def test_events_that_cannot_even_begin_do_not_end_the_training(tmp_path: Path):
    (tmp_path / "tensorboard").write_text("a file in the way")
    warnings: list[str] = []
    monitor = Monitor(tmp_path / "tensorboard", 0, warnings.append)
    monitor.scalars({"loss/policy": 1.0}, 16)
    monitor.close()
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: TensorBoard's events end here: ")
