"""Figures of reconstructions, against arithmetic on planted knives."""

import numpy as np
import pytest

from benchmarks.body_fidelity import body_fidelity
from benchmarks.knife_fidelity import fidelity, recall_by_slot
from benchmarks.probes import probes
from benchmarks.scene import Knife, Scene, detect
from benchmarks.scene import scene as scene_of
from encoders import ArtifactDetectorConfig, make_finder
from envs.kung_fu_master import ram as truth
from envs.kung_fu_master.ram import Box, Kind
from tests.benchmarks.test_data import PROJECTION, planted

FINDER = make_finder(ArtifactDetectorConfig())


def make_scene(seed: int, count: int = 40) -> Scene:
    """Grey frames; every second one holds a knife of eight pixels somewhere."""
    rng = np.random.default_rng(seed)
    frames = np.full((count, 64, 144), 128, np.uint8)
    knives = []
    for t in range(0, count, 2):
        box = Box(Kind.KNIFE, int(rng.integers(5, 50)), int(rng.integers(5, 130)), 2, 4)
        own = box.mask(64, 144)
        frames[t][own] = 255
        knives.append(Knife(t, box, own, 0))
    stacks, player_x = np.arange(count)[:, None].repeat(4, 1), np.full(count, 72)
    return Scene(frames, stacks, FINDER(frames[:, None]), knives, player_x)


def test_a_perfect_reconstruction():
    scene = make_scene(0)
    figures = fidelity(scene, scene.frames.astype(np.float32), 10.0, FINDER)
    assert figures == {
        "knife_recall": 1.0,
        "knife_recall_appeared": 1.0,
        "knife_recall_every_pixel": 1.0,
        "ghost_rate": 0.0,
        "ghosts_after_knife": None,
        "smear_rate": 0.0,
        "position_error_px": 0.0,
        "explained_variance": 1.0,
        "background_mse": 0.0,
        "knife_mse": 0.0,
    }


def test_lost_faint_and_moved_knives():
    scene = make_scene(0)
    drawn = np.full_like(scene.frames, 128, np.float32)
    for n, (t, box, own, _) in enumerate(scene.knives):
        if n < 5:  # at its place, with seven tenths of its contrast
            drawn[t][own] = 128 + 0.7 * 127
        elif n < 10:  # at its place, with four tenths
            drawn[t][own] = 128 + 0.4 * 127
        elif n < 15:  # three pixels to the right
            drawn[t][:, 3:] = scene.frames[t][:, :-3]
        else:  # one of eight pixels is missing
            drawn[t][own] = 255
            drawn[t, box.top, box.left] = 128
    figures = fidelity(scene, drawn, 10.0, FINDER)
    # Half of the contrast is 191.5: the first five and the last five reach it on average.
    assert figures["knife_recall"] == pytest.approx(10 / 20)
    assert figures["knife_recall_every_pixel"] == pytest.approx(5 / 20)
    # The region of 7 pixels grown by two has its centre where the whole one has it, nearly.
    assert figures["position_error_px"] == pytest.approx((5 * 0 + 5 * 3 + 5 * 0.0) / 15, abs=0.1)
    lost = [0.3**2, 0.6**2, 6 / 8, 1 / 8]
    assert figures["knife_mse"] == pytest.approx(np.mean(lost) * 12.7**2, rel=1e-5)


def test_ghosts_are_counted_in_frames_without_any():
    scene = make_scene(0)
    drawn = scene.frames.astype(np.float32)
    drawn[1:8:2, 20:22, 20:24] = 300.0  # four of the twenty frames without; brighter than white
    drawn[9:12:2, 20, 20:60] = 300.0  # two more hold a streak that is no small artifact
    figures = fidelity(scene, drawn, 10.0, FINDER)
    assert figures["ghost_rate"] == pytest.approx(4 / 20)
    assert figures["smear_rate"] == pytest.approx(6 / 20)
    outside = (scene.regions == 0).sum()
    expected = (4 * 8 + 2 * 40) * 17.2**2 / outside
    assert figures["background_mse"] == pytest.approx(expected, rel=1e-5)


def test_knives_that_the_detector_misses_are_neither_ghosts_nor_background():
    scene = make_scene(0)
    scene.regions[0] = 0
    drawn = scene.frames.astype(np.float32)
    drawn[0] = 128.0
    figures = fidelity(scene, scene.frames.astype(np.float32), 10.0, FINDER)
    assert figures["ghost_rate"] == figures["smear_rate"] == 0.0
    assert fidelity(scene, drawn, 10.0, FINDER)["background_mse"] == 0.0


def test_the_mean_image_explains_nothing():
    scene = make_scene(0)
    mean = np.broadcast_to(scene.frames.mean(axis=0, dtype=np.float32), scene.frames.shape)
    explained = fidelity(scene, mean, 10.0, FINDER)["explained_variance"]
    assert explained == pytest.approx(0.0, abs=1e-6)


def test_a_detector_sees_what_came_before_a_frame():
    # Frame 4 begins an episode, so nothing came before it.
    frames = np.arange(6, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    stacks = np.array(
        [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3], [4] * 4, [4, 4, 4, 5]]
    )
    found = detect(lambda obs: obs[:, -1] - obs[:, -2], frames, stacks)
    assert found[:, 0, 0].tolist() == [0, 1, 1, 1, 0, 1]


def test_a_thinned_scene_keeps_the_truth_of_what_is_left():
    scene = make_scene(0)
    thinned = scene.thinned(4)
    assert len(thinned.stacks) == 10
    # Every fourth frame has a knife.
    assert [knife.step for knife in thinned.knives] == list(range(10))
    for knife in thinned.knives:
        assert (scene.frames[thinned.stacks[knife.step, -1]][knife.own] == 255).all()


def test_a_knife_is_as_old_as_it_has_been_in_sight():
    recording = planted(9)  # an episode starts at step 6
    ages = [knife.age for knife in scene_of(recording, PROJECTION, FINDER).knives]
    assert ages == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    recording.ram[3, truth.PROJECTILE_Y] = truth.NO_PROJECTILE
    knives = scene_of(recording, PROJECTION, FINDER).knives
    assert [knife.step for knife in knives] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert [knife.age for knife in knives] == [0, 1, 2, 0, 1, 0, 1, 2]


def test_a_scene_knows_where_the_player_is():
    recording = planted(0)
    recording.ram[:, truth.PLAYER_X] = np.arange(60, 72)
    scene = scene_of(recording, PROJECTION, FINDER)
    assert scene.player_x.tolist() == list(range(7, 19))
    assert scene.thinned(4).player_x.tolist() == [7, 11, 15]


def test_knives_that_have_just_appeared_are_counted_apart():
    scene = make_scene(0)
    knives = [knife._replace(age=n % 4) for n, knife in enumerate(scene.knives)]
    drawn = scene.frames.astype(np.float32)
    for knife in knives:
        if knife.step % 8 == 0:  # all that have just appeared
            drawn[knife.step] = 128
    figures = fidelity(scene._replace(knives=knives), drawn, 10.0, FINDER)
    assert figures["knife_recall"] == pytest.approx(15 / 20)
    assert figures["knife_recall_appeared"] == 0.0
    old = scene._replace(knives=[knife._replace(age=1) for knife in knives])
    assert fidelity(old, drawn, 10.0, FINDER)["knife_recall_appeared"] is None


def test_ghosts_after_a_knife():
    scene = make_scene(0)
    stacks = scene.stacks.copy()
    stacks[1, 0] = 0  # frame 0 has a knife
    drawn = scene.frames.astype(np.float32)
    drawn[1:8:2, 20:22, 20:24] = 255.0
    figures = fidelity(scene._replace(stacks=stacks), drawn, 10.0, FINDER)
    assert figures["ghosts_after_knife"] == pytest.approx(1 / 4)


def test_recall_in_every_frame_of_an_observation():
    scene = make_scene(0)
    stacks = np.stack([np.maximum(np.arange(40) - 3 + slot, 0) for slot in range(4)], axis=1)

    def draw(rows: np.ndarray) -> np.ndarray:
        images = scene.frames[stacks[rows]].astype(np.float32)
        images[:, 0] = 128  # the oldest frame is lost
        images[rows % 4 == 0, 3] = 128  # and every second knife of the newest
        return images

    figures = recall_by_slot(scene._replace(stacks=stacks), draw)
    assert list(figures.values()) == [0.0, 1.0, 1.0, pytest.approx(10 / 20)]


def test_bodies_are_judged_apart_from_the_wall():
    frames = np.full((1, 64, 144), 128, np.uint8)
    frames[0, 20:40, 70:75] = 50  # the player
    frames[0, 20:40, 100:110] = 20  # somebody else
    none = np.zeros_like(frames)
    scene = Scene(frames, np.zeros((1, 4), int), none, [], np.array([72]))
    drawn = frames.astype(np.float32)
    drawn[0, 20:40, 70:75] += 10
    drawn[0, 20:40, 100:110] = 128  # nobody is drawn
    drawn[0, 0, 0] = 300.0  # brighter than white is white
    figures = body_fidelity(scene, drawn)
    around = {"player": (24 * 9, 100 * 10**2), "enemies": (24 * 14, 200 * 108**2)}
    around["rest"] = (64 * 144 - 24 * 9 - 24 * 14, 127**2)
    for kind, (pixels, square) in around.items():
        expected = 10 * np.log10(255**2 * pixels / square)
        assert figures[f"{kind}_psnr_db"] == pytest.approx(expected)
    assert set(body_fidelity(scene, frames.astype(np.float32)).values()) == {None}


def test_artifacts_are_no_bodies():
    scene = make_scene(0)
    drawn = np.full(scene.frames.shape, 128, np.float32)
    assert body_fidelity(scene, drawn)["enemies_psnr_db"] is None
    blind = scene._replace(regions=np.zeros_like(scene.regions))
    assert body_fidelity(blind, drawn)["enemies_psnr_db"] is None


def test_a_network_reads_what_is_not_linear():
    train, test = make_scene(1, 400), make_scene(2, 400)

    def latents(scene: Scene) -> np.ndarray:
        values = np.zeros((400, 2), np.float32)
        for knife in scene.knives:
            angle = knife.box.left / 144 * 2 * np.pi
            values[knife.step] = np.cos(angle), np.sin(angle)
        return values

    figures = probes(train, latents(train), test, latents(test))
    assert figures["probe_mlp_r2_x"] > 0.99
    assert figures["probe_r2_x"] < 0.9


def test_a_latent_that_knows_the_place_is_read_and_one_that_does_not_is_not():
    train, test = make_scene(1, 400), make_scene(2, 400)

    rng = np.random.default_rng(3)

    def latents(scene: Scene, *, knows: bool) -> np.ndarray:
        values = rng.normal(size=(400, 3)).astype(np.float32)
        if knows:
            for knife in scene.knives:
                values[knife.step, :2] = knife.box.left / 10, 9.0
        return values

    figures = probes(train, latents(train, knows=True), test, latents(test, knows=True))
    assert figures["probe_r2_x"] > 0.98
    assert figures["probe_presence_auc"] > 0.99
    figures = probes(train, latents(train, knows=False), test, latents(test, knows=False))
    assert figures["probe_r2_x"] < 0.5
    assert figures["probe_presence_auc"] < 0.8
