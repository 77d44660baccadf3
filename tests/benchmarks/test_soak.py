"""The soak study, on samples made by hand and on this process."""

import os

import pytest

from benchmarks.soak import Sample, SoakConfig, sample, summary


def test_growth_is_that_of_the_second_half():
    # 100 MiB in the first minute, then 2 MiB and one file for every minute.
    first = [Sample(60.0 * k, 100.0 * k, 9, 3) for k in range(2)]
    second = [Sample(60.0 * k, 100.0 + 2 * k, 10 + k, 3) for k in range(2, 4)]
    result = summary([*first, *second])
    assert result["mib_per_hour"] == pytest.approx(120.0)
    assert result["files_per_hour"] == pytest.approx(60.0)
    assert (result["peak_rss_mib"], result["peak_files"], result["peak_threads"]) == (106.0, 13, 3)
    assert result["minutes"] == pytest.approx(3.0)


def test_a_sample_sees_an_open_file_and_a_hundred_megabytes(tmp_path):
    before = sample(os.getpid(), 0.0)
    with (tmp_path / "open").open("w"):
        held = bytearray(100 * 2**20)
        held[::4096] = b"x" * len(held[::4096])  # touched, so that it is resident
        after = sample(os.getpid(), 1.0)
    assert after.files == before.files + 1
    assert after.rss_mib - before.rss_mib == pytest.approx(100, abs=5)
    assert after.threads >= 1


def test_impossible_settings_are_named(tmp_path):
    with pytest.raises(ValueError, match="minutes must be from 1 to 10000, got 0"):
        SoakConfig(json=tmp_path / "x.json", minutes=0)
