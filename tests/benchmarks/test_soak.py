"""The soak study, on samples made by hand and on this process."""

from mmap import mmap
from pathlib import Path

import psutil
import pytest

from benchmarks import soak
from benchmarks.soak import Sample, SoakConfig, sample, summary, watch
from experiment.errors import UserError


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
    before = sample(psutil.Process(), 0.0)
    with (tmp_path / "open").open("w"):
        fresh = mmap(-1, 100 * 2**20)  # never memory that this process has freed before
        fresh[::4096] = b"x" * len(fresh[::4096])  # touched, so that it is resident
        after = sample(psutil.Process(), 1.0)
    assert after.files == before.files + 1
    assert after.rss_mib - before.rss_mib == pytest.approx(100, abs=5)
    assert after.threads >= 1


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program in the place of ``train.py``, and samples it ten times a second."""
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    monkeypatch.setattr(soak, "INTERVAL", 0.1)
    return (tmp_path / "train.py").write_text


def test_a_training_is_sampled_until_it_is_ended(training):
    training(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "time.sleep(60)"
    )
    samples = watch(1.0)
    assert len(samples) > 3
    assert 0 <= samples[0].seconds < samples[-1].seconds <= 1.0
    assert samples[-1].rss_mib > 1


def test_a_training_that_ends_by_itself_is_an_error_with_what_it_printed(training):
    training("import sys; print('no games today'); sys.exit(3)")
    with pytest.raises(UserError, match=r"train\.py ended with 3: no games today"):
        watch(10.0)


def test_impossible_settings_are_named(tmp_path):
    with pytest.raises(ValueError, match="minutes must be from 1 to 10000, got 0"):
        SoakConfig(json=tmp_path / "x.json", minutes=0)
