"""The detector finds planted knives and nothing else."""

import numpy as np
import pytest

from encoders import ArtifactDetector, ArtifactDetectorConfig

BACKGROUND, KNIFE, FLOOR = 144, 18, 120


def floor_frame() -> np.ndarray:
    """An empty floor: one colour per scan line, as the game draws it."""
    frame = np.full((64, 144), BACKGROUND, np.uint8)
    frame[62:] = FLOOR
    return frame


def plant_knife(frame: np.ndarray, top: int, left: int) -> np.ndarray:
    """The game's knife: two rows of four pixels, slanted, in a 5 x 2 box. Returns its pixels."""
    before = frame.copy()
    frame[top, left + 1 : left + 5] = KNIFE
    frame[top + 1, left : left + 4] = KNIFE
    return frame != before


def plant_fighter(frame: np.ndarray, left: int) -> None:
    """A man-sized block with an outstretched arm as thin as a knife."""
    frame[28:62, left : left + 8] = 255
    frame[36:38, left + 8 : left + 14] = 255


@pytest.mark.parametrize(("top", "left"), [(5, 1), (30, 70), (59, 138), (0, 20)])
def test_the_planted_knife_is_found_exactly(top: int, left: int):
    frame = floor_frame()
    knife = plant_knife(frame, top, left)
    plant_fighter(frame, 100)
    detector = ArtifactDetector(ArtifactDetectorConfig(margin=0))
    np.testing.assert_array_equal(detector(frame[None])[0], knife)


def test_fighters_and_their_limbs_are_no_artifacts():
    frame = floor_frame()
    plant_fighter(frame, 20)
    plant_fighter(frame, 90)
    assert not ArtifactDetector(ArtifactDetectorConfig())(frame[None]).any()


def test_what_the_edge_cuts_off_is_not_judged():
    # A man who enters shows a sliver that is as small as a knife.
    frame = floor_frame()
    frame[40:43, 0:2] = 255
    assert not ArtifactDetector(ArtifactDetectorConfig())(frame[None]).any()


def test_the_region_is_the_artifact_grown_by_the_margin():
    frame = floor_frame()
    knife = plant_knife(frame, 30, 70)
    expected = np.zeros_like(knife)
    for row, column in np.argwhere(knife):
        expected[row - 3 : row + 4, column - 3 : column + 4] = True
    detector = ArtifactDetector(ArtifactDetectorConfig(margin=3))
    np.testing.assert_array_equal(detector(frame[None])[0], expected)


def test_frames_of_a_batch_do_not_touch_each_other():
    # A knife in the last rows of one frame lies next to the first rows of the following one.
    frames = np.stack([floor_frame() for _ in range(3)])
    plant_knife(frames[1], 60, 50)
    frames[2, 0:2, 50:60] = 255
    detector = ArtifactDetector(ArtifactDetectorConfig(margin=5))
    together = detector(frames)
    apart = np.concatenate([detector(frame[None]) for frame in frames])
    np.testing.assert_array_equal(together, apart)
    assert together[1].any()
    assert not together[0].any()


def test_contrast_below_the_threshold_is_background():
    detector = ArtifactDetector(ArtifactDetectorConfig(contrast=40))
    for level, found in (
        (BACKGROUND - 39, False),
        (BACKGROUND - 40, True),
        (BACKGROUND + 40, True),
    ):
        frame = floor_frame()
        frame[20:22, 60:64] = level
        assert detector(frame[None]).any() == found


def test_wrong_frames_are_refused():
    detector = ArtifactDetector(ArtifactDetectorConfig())
    with pytest.raises(ValueError, match=r"\(N, H, W\) uint8, got \(64, 144\) float32"):
        detector(np.zeros((64, 144), np.float32))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contrast", 0),
        ("contrast", 255),
        ("centre_height", 2),
        ("centre_width", 17),
        ("surround", 0),
        ("min_pixels", 22),
        ("margin", -1),
    ],
)
def test_impossible_settings_are_named(field: str, value: int):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        ArtifactDetectorConfig(**{field: value})
