"""The detector's figures, against planted knives."""

import json
from pathlib import Path

import pytest

from benchmarks import detector
from benchmarks.detector import contrasts, detection_scores
from encoders import ArtifactDetector, ArtifactDetectorConfig
from tests.benchmarks.test_data import PROJECTION, planted

DETECTOR = ArtifactDetector(ArtifactDetectorConfig())


def test_all_knives_found_and_nothing_else():
    found = detection_scores(planted(4), PROJECTION, DETECTOR)
    assert (found["frames"], found["knives"]) == (12, 4)
    assert (found["precision"], found["recall"], found["f1"]) == (1.0, 1.0, 1.0)
    assert found["kinds"]["knife"]["objects"] == 4
    assert found["touching"]["knives"] == 0


def test_a_false_alarm_and_a_miss_by_arithmetic():
    recording = planted(4)
    recording.frames[8, 10:12, 60:64] = 1  # a knife that the RAM knows nothing of
    recording.frames[3, 40:50, 70:74] = 1  # too near to the knife at column 45
    recording.frames[3, 40:42, 54:58] = 1
    found = detection_scores(recording, PROJECTION, DETECTOR)
    assert found["recall"] == pytest.approx(3 / 4)
    assert found["precision"] == pytest.approx(3 / 4)


def test_knives_that_touch_a_figure_are_counted_apart():
    recording = planted(4)
    recording.frames[2, 20:60, 46:56] = 2  # a figure beside the knife at 40..44
    recording.frames[2, 41, 45] = 3
    found = detection_scores(recording, PROJECTION, DETECTOR)
    assert found["touching"] == {"knives": 1, "recall": 1.0}


def test_contrasts_by_floor():
    recording = planted(4)
    found = contrasts(recording, PROJECTION)
    assert found["knife"] == 127
    # Knife 127; white, (214 + 2 * 214) / 765 * 68 = 57: 71 levels away.
    white = {"colours": 2, "smallest": 71, "weakest": (214, 214, 214)}
    assert found["floors"] == {"1": white}
    # A figure in the colour of the floor would vanish, and is reported.
    recording.palette[4] = (180, 122, 48)
    recording.frames[5, 20:40, 20:30] = 4
    found = contrasts(recording, PROJECTION)
    assert found["floors"]["1"]["smallest"] == 0
    assert found["floors"]["1"]["weakest"] == (180, 122, 48)


def test_a_result_is_written_before_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise OSError("the terminal is gone")

    monkeypatch.setattr(detector, "load", lambda *_: planted(4, 40))
    monkeypatch.setattr(detector, "calibrate", lambda *_, **__: PROJECTION)
    monkeypatch.setattr(detector, "print_table", broken)
    path = tmp_path / "detector.json"
    monkeypatch.setattr("sys.argv", ["detector", "--json", str(path)])
    with pytest.raises(OSError, match="the terminal is gone"):
        detector.main()
    result = json.loads(path.read_text())
    assert (result["knives"], result["recall"]) == (4, 1.0)
    assert set(result["sources"]) == {"random", "agent", "tour"}
