"""The detector finds planted knives and nothing else."""

import numpy as np
import pytest

from encoders import ArtifactDetector, ArtifactDetectorConfig, make_finder

BACKGROUND, KNIFE, FIGURE = 128, 255, 60


def empty_frame() -> np.ndarray:
    return np.full((64, 144), BACKGROUND, np.uint8)


def plant_knife(frame: np.ndarray, top: int, left: int) -> np.ndarray:
    """The game's knife: two rows of four pixels, slanted, in a 5 x 2 box. Returns its pixels."""
    before = frame.copy()
    frame[top, left + 1 : left + 5] = KNIFE
    frame[top + 1, left : left + 4] = KNIFE
    return frame != before


def plant_fighter(frame: np.ndarray, left: int, level: int = FIGURE) -> None:
    """A man-sized block with an outstretched arm as thin as a knife."""
    frame[28:62, left : left + 8] = level
    frame[36:38, left + 8 : left + 14] = level


@pytest.mark.parametrize(("top", "left"), [(5, 1), (30, 70), (62, 139), (0, 0)])
def test_the_planted_knife_is_found_exactly(top: int, left: int):
    frame = empty_frame()
    knife = plant_knife(frame, top, left)
    plant_fighter(frame, 100)
    detector = ArtifactDetector(ArtifactDetectorConfig())
    np.testing.assert_array_equal(detector(frame[None, None])[0], knife)


def test_a_knife_that_touches_a_fighter_is_found_too():
    frame = empty_frame()
    plant_fighter(frame, 60)
    knife = plant_knife(frame, 40, 56)
    assert (frame[40:42, 60:62] != BACKGROUND).all()
    detector = ArtifactDetector(ArtifactDetectorConfig())
    np.testing.assert_array_equal(detector(frame[None, None])[0] != 0, knife & (frame == KNIFE))


def test_what_the_edge_leaves_of_a_knife_is_found():
    frame = empty_frame()
    frame[40, 143] = KNIFE
    found = ArtifactDetector(ArtifactDetectorConfig())(frame[None, None])[0]
    assert np.argwhere(found).tolist() == [[40, 143]]


def test_dark_things_are_no_artifacts_however_small():
    frame = empty_frame()
    plant_fighter(frame, 20)
    frame[10:12, 50:54] = 0
    frame[40:43, 0:2] = FIGURE
    assert not ArtifactDetector(ArtifactDetectorConfig())(frame[None, None]).any()


def test_bright_figures_and_their_parts_are_no_artifacts():
    # A boss in the knife's colour: a jacket, and a collar and a belt apart from it.
    frame = empty_frame()
    plant_fighter(frame, 20, KNIFE)
    frame[25:27, 22:26] = KNIFE
    frame[64 - 2 :, 21:25] = KNIFE
    detector = ArtifactDetector(ArtifactDetectorConfig())
    assert not detector(frame[None, None]).any()
    # Without a wide surround its collar would pass for a knife.
    narrow = ArtifactDetector(ArtifactDetectorConfig(centre_height=3, surround=1))
    assert narrow(np.where(np.arange(64)[:, None] < 28, frame, BACKGROUND)[None, None]).any()


def test_the_surround_must_be_empty():
    detector = ArtifactDetector(ArtifactDetectorConfig())  # centre 5 x 7, surround 6
    for gap, found in ((4, False), (10, True)):
        frame = empty_frame()
        plant_knife(frame, 30, 70)
        frame[30:32, 74 + gap] = KNIFE
        assert detector(frame[None, None])[0, 30, 72] == found


def test_the_region_is_the_artifact_grown_by_the_margin():
    frame = empty_frame()
    knife = plant_knife(frame, 30, 70)
    expected = np.zeros_like(knife)
    for row, column in np.argwhere(knife):
        expected[row - 3 : row + 4, column - 3 : column + 4] = True
    finder = make_finder(ArtifactDetectorConfig(margin=3))
    np.testing.assert_array_equal(finder.pixels(frame[None, None])[0], knife)
    np.testing.assert_array_equal(finder(frame[None, None])[0], expected)


def test_frames_of_a_batch_do_not_touch_each_other():
    # A knife in the last rows of one frame lies next to the first rows of the following one.
    frames = np.stack([empty_frame() for _ in range(3)])
    plant_knife(frames[1], 60, 50)
    frames[2, 0:9, 50:60] = KNIFE
    finder = make_finder(ArtifactDetectorConfig(margin=8))
    together = finder(frames[:, None])
    apart = np.concatenate([finder(frame[None, None]) for frame in frames])
    np.testing.assert_array_equal(together, apart)
    assert together[1].any()
    assert not together[0].any()


def test_every_frame_of_a_batch_is_judged_alike():
    # Of two bright pixels eight rows apart, a box around a row above the frame sees one only.
    frames = np.stack([empty_frame() for _ in range(3)])
    frames[:, 0, 100] = frames[:, 8, 100] = KNIFE
    detector = ArtifactDetector(ArtifactDetectorConfig())
    together = detector(frames[:, None])
    np.testing.assert_array_equal(together, detector(frames[:1, None]).repeat(3, axis=0))
    assert not together[:, 0].any()


def test_brightness_below_the_threshold_does_not_count():
    detector = ArtifactDetector(ArtifactDetectorConfig(threshold=200))
    for level, found in ((199, False), (200, True)):
        frame = empty_frame()
        frame[20:22, 60:64] = level
        assert detector(frame[None, None]).any() == found


def test_too_few_bright_pixels_do_not_count():
    frame = empty_frame()
    frame[20, 60:63] = KNIFE
    for min_pixels, found in ((3, True), (4, False)):
        detector = ArtifactDetector(ArtifactDetectorConfig(min_pixels=min_pixels))
        assert detector(frame[None, None]).any() == found


def test_wrong_frames_are_refused():
    detector = ArtifactDetector(ArtifactDetectorConfig())
    with pytest.raises(ValueError, match=r"\(N, C, H, W\) uint8, got \(64, 144\) float32"):
        detector(np.zeros((64, 144), np.float32))


def test_only_the_newest_frame_of_an_observation_is_searched():
    obs = np.stack([empty_frame() for _ in range(8)]).reshape(2, 4, 64, 144)
    knife = plant_knife(obs[0, -1], 30, 70)
    plant_knife(obs[1, 2], 30, 70)
    found = ArtifactDetector(ArtifactDetectorConfig())(obs)
    np.testing.assert_array_equal(found[0], knife)
    assert not found[1].any()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", 0),
        ("threshold", 256),
        ("centre_height", 2),
        ("centre_width", 33),
        ("surround", 0),
        ("min_pixels", 36),
        ("margin", -1),
    ],
)
def test_impossible_settings_are_named(field: str, value: int):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        ArtifactDetectorConfig(**{field: value})


def test_without_a_backdrop_what_rests_is_found_as_well():
    detector = ArtifactDetector(ArtifactDetectorConfig())
    resting = np.full((1, 4, 40, 60), 128, np.uint8)
    resting[:, :, 25:29, 30:32] = 255
    assert detector(resting).sum() == 8


def test_max_pixels_must_be_possible():
    with pytest.raises(ValueError, match="max_pixels must be from 1 to 225, got 0"):
        ArtifactDetectorConfig(max_pixels=0)
