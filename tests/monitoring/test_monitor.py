"""What TensorBoard gets: read back from the event files."""

import shutil
import time
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import projector
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig, AutoencoderConfig, EncoderConfig, LocatorConfig
from encoders.tracks import UNITS
from monitoring.event_file import EventFile
from monitoring.layout import LAYOUT
from monitoring.monitor import Monitor
from monitoring.pictures import GAP, GREY, HEADER, SCALE, YELLOW
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, put_regions

PANEL = HEADER + OBS_SHAPE[1] * SCALE


TRACK_UNITS = UNITS * LocatorConfig().count


def make_model(gauges: tuple[str, ...] = ()) -> ActorCritic:
    torch.manual_seed(0)
    config = ActorCriticConfig(AutoencoderConfig(EncoderConfig(channels=(4, 4))))
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, gauges)


def read(log_dir: Path) -> EventAccumulator:
    everything = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0}
    return EventAccumulator(str(log_dir), size_guidance=everything).Reload()


def make_rollout(knife_at: int | None) -> Rollout:
    """Eight steps of six games on grey level 100 + game; perhaps one frame with an artifact."""
    rollout = Rollout(8, 6, OBS_SHAPE, torch.device("cpu"), track_units=TRACK_UNITS)
    rollout.tracks[..., ::UNITS] = -1.0  # nothing is there
    rollout.frames[:] = torch.arange(100, 106, dtype=torch.uint8)[None, :, None, None]
    rollout.ages[:] = 3
    if knife_at is not None:
        rollout.frames[3 + knife_at, 2, 5, 5:9] = 255
        put_regions(rollout, np.s_[3 + knife_at, 2, 4:7, 4:10], 1)
    return rollout


def shown_knives(image: np.ndarray) -> list[bool]:
    """For each sample of a grid, whether its input panel holds the bright knife."""
    inputs = image[HEADER:PANEL]
    width = OBS_SHAPE[2] * SCALE
    starts = range(0, image.shape[1], width + GAP)
    return [bool((inputs[:, left : left + width] == 255).any()) for left in starts]


def test_scalars_and_images_are_really_in_the_file(tmp_path: Path):
    monitor = Monitor(tmp_path, 0, print)
    monitor.scalars({"loss/policy": 0.5, "episode/return": 100.0}, steps=16)
    rollout, weights = make_rollout(4), ArtifactWeightsConfig()
    images = monitor.reconstructions(make_model(), rollout, weights, steps=16)
    monitor.close()
    events = read(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("loss/policy")] == [(16, 0.5)]
    assert set(images) == {"reconstruction/with_artifact", "reconstruction/without_artifact"}
    for tag, image in images.items():
        (event,) = events.Images(tag)
        stored = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(stored[..., ::-1], image)


def test_a_frame_with_an_artifact_is_always_shown_once_one_was_seen(tmp_path: Path):
    model, config = make_model(), ArtifactWeightsConfig()
    monitor = Monitor(tmp_path, 0, print)
    none, one = make_rollout(None), make_rollout(4)
    images = monitor.reconstructions(model, none, config, 1)
    assert list(images) == ["reconstruction/without_artifact"]
    assert shown_knives(images["reconstruction/without_artifact"]) == [False, False]
    images = monitor.reconstructions(model, one, config, 2)
    assert shown_knives(images["reconstruction/with_artifact"]) == [True]
    assert shown_knives(images["reconstruction/without_artifact"]) == [False, False]
    monitor.remember(one)
    monitor.remember(none)  # does not forget
    one.frames.zero_()  # the rollout's memory is used again
    images = monitor.reconstructions(model, none, config, 3)
    assert shown_knives(images["reconstruction/with_artifact"]) == [True]
    monitor.close()


def test_a_film_is_a_gif_in_the_file_that_plays_every_picture(tmp_path: Path):
    # What add_video of some versions leaves out: the bytes are in the event file.
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = [np.full((20, 30, 3), colour, np.uint8) for colour in colours]
    monitor = Monitor(tmp_path, 0, print)
    monitor.film(pictures, 7.5, steps=7)
    monitor.close()
    (event,) = read(tmp_path).Images("game/film")
    assert (event.step, event.width, event.height) == (7, 30, 20)
    assert event.encoded_image_string.startswith(b"GIF89a")
    played = imageio.imread(event.encoded_image_string, index=None)
    np.testing.assert_allclose(played[..., :3].astype(int), np.stack(pictures), atol=8)  # 5 bits
    duration = imageio.immeta(event.encoded_image_string)["duration"]
    assert duration == pytest.approx(1000 / 7.5, abs=10)
    assert imageio.immeta(event.encoded_image_string)["loop"] == 0  # for ever


def test_a_run_is_a_row_of_hparams_and_has_its_layout_and_text(tmp_path: Path):
    monitor = Monitor(tmp_path, 0, print)
    config = {"seed": 3, "ppo.clip": 0.1, "model.channels": [8, 32], "env.sticky": True, "a": "b"}
    config["run_dir"] = "runs/a"
    monitor.begin(config, config.keys() - {"run_dir"}, "python train.py --resume", steps=0)
    running = dict(read(tmp_path).summary_metadata)
    monitor.end({"score": 1234.0}, steps=99)
    monitor.close()
    events = read(tmp_path)
    start = HParamsPluginData.FromString(
        events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    ).session_start_info
    kinds = {name: value.WhichOneof("kind") for name, value in start.hparams.items()}
    assert kinds == {
        "seed": "number_value", "ppo.clip": "number_value", "model.channels": "string_value",
        "env.sticky": "string_value", "a": "string_value",
    }  # fmt: skip
    assert start.hparams["model.channels"].string_value == "[8, 32]"
    assert "_hparams_/session_end_info" not in running
    assert "_hparams_/session_end_info" in events.summary_metadata
    assert "_hparams_/experiment" not in events.summary_metadata  # TensorBoard compares by itself
    assert [(event.step, event.value) for event in events.Scalars("Final/score")] == [(99, 1234.0)]
    (text,) = events.Tensors("run/text_summary")
    shown = text.tensor_proto.string_val[0].decode()
    assert "    python train.py --resume\n" in shown
    assert "|ppo.clip|0.1|" in shown
    assert "|run_dir|runs/a|" in shown
    (written,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(written.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == list(LAYOUT)
    assert layout.category[2].chart[0].title == "kept, and ghosts"
    assert layout.category[2].chart[0].multiline.tag == [
        "artifacts/recall$",
        "artifacts/ghost_rate",
        "validation/recall",
        "validation/ghost_rate",
    ]


def test_histograms_hold_the_sample_and_the_latent_is_described(tmp_path: Path):
    monitor, rollout = Monitor(tmp_path, 0, print), make_rollout(4)
    monitor.latents(make_model(), rollout, steps=5)
    monitor.close()
    events = read(tmp_path)
    totals = {
        "latent/activations": 48 * 64, "latent/deviation_of_units": 64,
        "policy/probabilities": 48 * NUM_ACTIONS, "policy/highest_probability": 48,
    }  # fmt: skip
    for tag, total in totals.items():
        (event,) = events.Histograms(tag)
        assert (event.step, event.histogram_value.num) == (5, total)
    for name in ("saturated", "dead_units", "effective_rank"):
        assert [event.step for event in events.Scalars(f"latent/{name}")] == [5]


def test_samples_are_limited_and_half_of_the_projectors_have_an_artifact(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(Monitor, "POINTS", 8)
    monkeypatch.setattr(Monitor, "LATENTS", 7)
    monitor, model, rollout = Monitor(tmp_path, 0, print), make_model(), make_rollout(4)
    put_regions(rollout, np.s_[3:, 0, 4:7, 4:10], 1)  # all steps of one game
    monitor.embedding(model, rollout, steps=5)
    monitor.latents(model, rollout, steps=5)
    monitor.close()
    rows = (tmp_path / "projector" / "labels.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == ["yes"] * 4 + ["no"] * 4
    (event,) = read(tmp_path).Histograms("policy/highest_probability")
    assert event.histogram_value.num == 7


def test_the_projector_gets_latents_labels_and_thumbnails(tmp_path: Path):
    monitor, model, rollout = Monitor(tmp_path, 0, print), make_model(), make_rollout(4)
    monitor.embedding(model, make_rollout(None), steps=3)
    monitor.embedding(model, rollout, steps=5)  # in place of the first
    monitor.close()
    config = projector.ProjectorConfig()
    text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), config)
    (entry,) = config.embeddings
    assert entry.tensor_name == "latent after 5 steps"
    latent = np.loadtxt(tmp_path / entry.tensor_path, delimiter="\t")
    rows = [r.split("\t") for r in (tmp_path / entry.metadata_path).read_text().splitlines()]
    assert rows[0] == ["artifact", "value", "likeliest action"]
    assert [row[0] for row in rows[1:]] == ["yes"] + ["no"] * 47
    with torch.no_grad():
        first = model(rollout.observations(torch.tensor([4 * 6 + 2])))
    assert float(rows[1][1]) == pytest.approx(first.value.item(), abs=1e-3)
    assert int(rows[1][2]) == first.policy.probs.argmax().item()
    assert latent.shape == (48, 79)
    # The artifact's observation is that of step 4 of game 2; its point comes first.
    np.testing.assert_allclose(latent[0], first.latent[0], atol=1e-4)
    sheet = imageio.imread(tmp_path / entry.sprite.image_path)
    side = OBS_SHAPE[2]
    assert list(entry.sprite.single_image_dim) == [side, side]
    assert sheet.shape == (7 * side, 7 * side, 3)  # 48 pictures, 7 in a row
    assert tuple(sheet[0, 0]) == YELLOW
    assert tuple(sheet[0, side]) == GREY
    assert (sheet[side // 2 - 3, 5:9] == 255).all()  # the knife, in row 5 of 16


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


@pytest.mark.parametrize("behind", [10, 10**6, 10**9])
def test_curves_go_on_if_the_clock_is_behind_the_first_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: int
):
    first = Monitor(tmp_path, 0, print)
    for steps in (10, 20, 30):
        first.scalars({"loss/policy": 1.0}, steps)
    first.close()
    now = time.time()
    monkeypatch.setattr("monitoring.event_file.time.time", lambda: now - behind)
    for resumed in (20, 30, 40):
        again = Monitor(tmp_path, resumed, print)
        again.scalars({"loss/policy": float(resumed)}, resumed + 10)
        again.close()
    assert len(list(tmp_path.iterdir())) == 4
    events = read(tmp_path).Scalars("loss/policy")
    assert [(event.step, event.value) for event in events] == [
        (10, 1.0), (20, 1.0), (30, 20.0), (40, 30.0), (50, 40.0),
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["deleted", "moved"])
def test_a_directory_that_goes_away_ends_the_events_with_one_line(
    tmp_path: Path, what: str, capfd: pytest.CaptureFixture[str]
):
    warnings: list[str] = []
    log_dir = tmp_path / "run" / "tensorboard"
    monitor = Monitor(log_dir, 0, warnings.append)
    monitor.scalars({"loss/policy": 1.0}, 16)
    if what == "deleted":
        shutil.rmtree(log_dir.parent)
    else:
        log_dir.parent.rename(tmp_path / "elsewhere")
    for steps in (32, 48):
        monitor.scalars({"loss/policy": 1.0}, steps)
    monitor.close()
    assert warnings == ["warning: TensorBoard's events end here: No such file or directory"]
    assert capfd.readouterr() == ("", "")


def test_a_picture_that_cannot_be_drawn_is_a_warning(tmp_path: Path):
    warnings: list[str] = []
    monitor = Monitor(tmp_path, 0, warnings.append)
    with monitor.drawing("the film"):
        raise IndexError("no such row")
    monitor.scalars({"loss/policy": 1.0}, 16)
    monitor.close()
    assert warnings == ["warning: the film cannot be drawn: IndexError: no such row"]
    assert len(read(tmp_path).Scalars("loss/policy")) == 1
    with pytest.raises(KeyboardInterrupt), monitor.drawing("the film"):
        raise KeyboardInterrupt


def test_a_full_disk_ends_the_events_and_not_the_training(tmp_path: Path, monkeypatch):
    warnings: list[str] = []
    monitor = Monitor(tmp_path, 0, warnings.append)
    monitor.scalars({"loss/policy": 1.0}, 16)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "flush", no_space)
    for steps in (32, 48):
        monitor.scalars({"loss/policy": 1.0}, steps)
    monitor.close()
    assert warnings == ["warning: TensorBoard's events end here: No space left on device"]


@pytest.mark.parametrize("what", ["embedding", "film"])
def test_a_full_disk_under_projector_or_film_does_not_end_the_training(
    tmp_path: Path, monkeypatch, what: str
):
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    warnings: list[str] = []
    monitor = Monitor(tmp_path, 0, warnings.append)
    monkeypatch.setattr("monitoring.monitor.write_embedding", no_space)
    monkeypatch.setattr(EventFile, "add", no_space)
    if what == "embedding":
        monitor.embedding(make_model(), make_rollout(4), 16)
    else:
        monitor.film([np.zeros((8, 8, 3), np.uint8)], 7.5, 16)
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


@pytest.mark.parametrize("drawn", ["latents", "embedding"])
def test_the_model_is_shown_each_observation_with_its_own_gauges_and_tracks(
    tmp_path: Path, drawn: str
):
    rollout = Rollout(8, 6, OBS_SHAPE, torch.device("cpu"), 2, TRACK_UNITS)
    rollout.ages[:] = 3
    rollout.gauges[..., 0] = rollout.tracks[..., 1] = torch.arange(48.0).view(8, 6)
    rollout.frames[3:-1, :, 0, 0] = torch.arange(48, dtype=torch.uint8).view(8, 6)
    model = make_model(("health", "stage_1"))
    seen: list[torch.Tensor] = []

    def spy(_: object, arguments: tuple[torch.Tensor, ...]) -> None:
        obs, gauges, tracks = arguments
        assert torch.equal(obs[:, -1, 0, 0].float(), gauges[:, 0])
        assert torch.equal(gauges[:, 0], tracks[:, 1])
        seen.append(gauges)

    model.register_forward_pre_hook(spy)
    monitor = Monitor(tmp_path, 0, print)
    getattr(monitor, drawn)(model, rollout, 5)
    monitor.close()
    assert len(seen) == 1
    assert len(seen[0]) > 10
