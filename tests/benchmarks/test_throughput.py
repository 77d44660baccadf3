"""Speed figures: arithmetic on measurements made by hand, and processes watched from outside."""

import pytest

from benchmarks.breakdown import PARTS, Stopwatch, shares
from benchmarks.processes import MeasuredTraining, Point, run_for
from benchmarks.throughput import ThroughputConfig, ceiling, summary
from experiment.errors import UserError


def test_ratios_are_taken_within_a_round_and_then_their_median():
    # The machine runs at half its speed in the second round, which cancels out.
    names = ("ceiling", "train", "train_a2c", "evaluate", "sb3_a2c", "sb3_ppo")
    rounds = [
        dict(zip(names, values, strict=True))
        for values in (
            (4000.0, 1600.0, 1000.0, 3000.0, 400.0, 200.0),
            (2000.0, 800.0, 500.0, 1500.0, 200.0, 100.0),
            (4000.0, 1200.0, 1000.0, 3000.0, 400.0, 200.0),
        )
    ]
    found = summary(rounds)
    assert found["train"] == 1200.0
    assert found["ratio_to_ceiling"] == pytest.approx(0.4)
    assert found["ratio_to_sb3_a2c"] == pytest.approx(4.0)
    assert found["ratio_a2c_to_sb3_a2c"] == pytest.approx(2.5)
    assert found["ratio_to_sb3_ppo"] == pytest.approx(8.0)
    assert found["evaluate_to_ceiling"] == pytest.approx(0.75)
    assert found["spread"]["ratio_to_ceiling"] == pytest.approx([0.3, 0.4])


def test_speed_is_measured_after_the_first_fifth():
    # Five seconds of start-up, then 100 steps a second.
    points = [Point(5.0 + k, 100 * k + 7, None) for k in range(11)]
    points[0] = Point(0.0, 0, None)
    assert MeasuredTraining(points, 0.0).steps_per_second == pytest.approx(100.0)


def test_a_process_is_interrupted_in_time():
    # Whether it was asleep or still starting; undisturbed it would end well.
    with pytest.raises(UserError, match=r"KeyboardInterrupt|ended with -2"):
        run_for(["-c", "import time; time.sleep(60)"], seconds=1.0)


def test_the_memory_of_a_process_is_known():
    script = "import time; held = bytearray({} * 2**20); time.sleep(0.5)"
    small, large = (run_for(["-c", script.format(size)]) for size in (10, 210))
    assert 190 < large - small < 210


def test_too_few_updates_give_no_speed():
    with pytest.raises(UserError, match="2 updates are too few"):
        _ = MeasuredTraining([Point(1.0, 10, None), Point(2.0, 20, None)], 0.0).steps_per_second


def test_everything_that_is_timed_is_there():
    for functions in PARTS.values():
        for owner, attribute in functions:
            assert callable(getattr(owner, attribute))


def test_a_failed_process_is_an_error_with_what_it_printed():
    with pytest.raises(UserError, match=r"ended with 3: no games today"):
        run_for(["-c", "import sys; print('no games today'); sys.exit(3)"], seconds=60)


def test_shares_sum_to_one_and_split_what_the_threads_did():
    # Two threads: 10 s of collecting on the wall, 20 s in them, of these 8 s in the emulator.
    main = {"collect": 10.0, "update": 9.0, "advantages": 1.0, "fidelity": 0.2}
    main |= {"logging": 0.1, "pictures": 0.3, "film": 0.4, "credit": 0.5, "gauge curves": 0.0}
    others = {"play": 20.0, "environment": 11.0, "emulator": 8.0, "detector": 1.0, "gauges": 1.0}
    found = shares(main, others)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["emulator"] == pytest.approx(4.0 / 20)
    assert found["projection"] == pytest.approx(1.0 / 20)
    assert found["gauges"] == pytest.approx(1.0 / 20)
    assert found["detector"] == pytest.approx(0.5 / 20)
    assert found["acting"] == pytest.approx(4.0 / 20)
    assert found["learning"] == pytest.approx(7.5 / 20)
    assert found["film"] == pytest.approx(0.4 / 20)


def test_a_stopwatch_counts_and_changes_nothing():
    class Clockwork:
        def tick(self, times: int) -> int:
            return 2 * times

    stopwatch = Stopwatch()
    stopwatch.on(Clockwork, "tick", "ticking")
    assert Clockwork().tick(4) == 8
    assert stopwatch.main["ticking"] > 0
    assert not stopwatch.others


def test_the_ceiling_is_that_of_real_games():
    assert 100 < ceiling(2, steps=20) < 100_000


@pytest.mark.parametrize(("field", "value"), [("rounds", 0), ("num_envs", 0), ("seconds", 5.0)])
def test_impossible_settings_are_named(tmp_path, field: str, value: float):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        ThroughputConfig(json=tmp_path / "x.json", **{field: value})
