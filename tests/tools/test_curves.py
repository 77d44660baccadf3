"""Curves of trainings made by hand, of which it is known what should be drawn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import imageio.v2 as imageio
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from scipy import stats
from torch.utils.tensorboard import summary

from envs import KUNG_FU_MASTER
from experiment.command_line import exit_code
from experiment.errors import UserError
from monitoring.event_file import EventFile
from tools import curves as curves_tool
from tools.curves import LOSSES, PANELS, SCORE, SHARES, Curve

TAGS = (SCORE, *LOSSES, *SHARES)
SPEED = "speed/steps_per_second"
Arguments = Callable[..., None]


def write_config(run_dir: Path, seed: object = 1, entropy: float = 0.003, **fields: object) -> Path:
    ppo, env = {"entropy_coef": entropy, "clip": 0.1}, {"game": "kung_fu_master"}
    config = {"run_dir": str(run_dir), "seed": seed, "ppo": ppo, "env": env}
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.json").write_text(json.dumps(config | fields))
    return run_dir


def write_events(
    run_dir: Path, values: dict[str, list[tuple[int, float]]], at: float = 0.0, after: int = 0
) -> None:
    """One process's event file: (step, value) of each tag, all at one time, from a checkpoint."""
    with mock.patch("monitoring.event_file.time.time", return_value=at):
        file = EventFile(run_dir / "tensorboard", after)
        for tag, curve in values.items():
            for steps, value in curve:
                file.add(summary.scalar(tag, value), steps)
        file.close()


def trained(run_dir: Path, seed: int = 1, entropy: float = 0.003, score: float = 100.0) -> Path:
    """A whole run of forty updates of 600 steps, each a minute long."""
    steps = range(600, 24_001, 600)
    values = {tag: [(at, 0.5) for at in steps] for tag in TAGS}
    values[SCORE] = [(at, score * index) for index, at in enumerate(steps)]
    write_events(run_dir, {**values, SPEED: [(at, 10.0) for at in steps]})
    return write_config(run_dir, seed, entropy)


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> Arguments:
    return lambda *args: monkeypatch.setattr("sys.argv", ["curves", *map(str, args)])


def test_runs_that_differ_in_nothing_that_is_trained_are_one_group(tmp_path: Path):
    first = write_config(tmp_path / "a", seed=1, device="cpu", film_interval=9, image_interval=9)
    second = write_config(tmp_path / "b", seed=2, device="cuda", image_interval=1, resume=True)
    assert curves_tool.grouped([first, second]) == {"all runs, n=2": [first, second]}
    other = write_config(tmp_path / "c", seed=1, entropy=0.01)
    assert curves_tool.grouped([other, first, second]) == {
        "ppo.entropy_coef=0.01, n=1": [other],
        "ppo.entropy_coef=0.003, n=2": [first, second],
    }
    # A field that a former version did not know; and seeds may repeat in another group.
    newer = write_config(tmp_path / "d", seed=2, entropy=0.01, algorithm="a2c")
    assert [*curves_tool.grouped([first, newer])] == [
        "algorithm=absent, ppo.entropy_coef=0.003, n=1",
        "algorithm=a2c, ppo.entropy_coef=0.01, n=1",
    ]


def test_interval_is_students():
    mean, half = curves_tool.mean_and_half_width(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 10.0]]))
    assert_allclose(mean, [2.0, 8.0])
    assert half is not None
    # The standard errors are 1 / sqrt(3) and 1; the quantile of two degrees of freedom is 4.3027.
    assert_allclose(half, [2.48414, 4.30265], rtol=1e-5)
    low, high = stats.t.interval(0.95, 2, loc=2.0, scale=stats.sem([1.0, 2.0, 3.0]))
    assert_allclose([mean[0] - half[0], mean[0] + half[0]], [low, high])


def test_one_seed_is_a_line_without_a_band():
    axes = Figure().subplots()
    curve = Curve(np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([5.0, 7.0]))
    curves_tool.draw_group(axes, PANELS[0], "C0", [{SCORE: curve}])
    assert_allclose(axes.lines[0].get_ydata()[[0, -1]], [5.0, 7.0])
    assert not axes.collections


@pytest.mark.parametrize(("panel", "scale"), [(PANELS[0], 1.0), (PANELS[1], 0.1)])
def test_a_group_is_drawn_where_all_its_seeds_have_values(panel: curves_tool.Panel, scale: float):
    # The second begins later, ends earlier and has values at other steps, two points higher.
    long, short = np.array([0.0, 4.0, 10.0]), np.array([2.0, 3.0, 6.0])
    runs = [{SCORE: Curve(at, at / 10, at + more)} for at, more in ((long, 0.0), (short, 2.0))]
    axes = Figure().subplots()
    curves_tool.draw_group(axes, panel, "C0", runs)
    across, mean = axes.lines[0].get_data()
    assert_allclose([across[0], across[-1]], [2.0 * scale, 6.0 * scale])
    assert_allclose(mean, np.asarray(across) / scale + 1.0)
    # Their standard error is 1; the quantile of one degree of freedom is 12.7062.
    band = axes.collections[0].get_paths()[0].get_extents()
    assert_allclose([band.ymin, band.ymax], [3.0 - 12.7062, 7.0 + 12.7062], rtol=1e-5)


def test_curves_without_a_common_step_are_refused():
    with pytest.raises(UserError, match="ends at 2,000 and another begins at 3,000"):
        curves_tool.common_grid([np.array([0.0, 2000.0]), np.array([3000.0, 9000.0])], SCORE)


def test_a_pause_and_what_a_crash_lost_are_not_minutes_of_training(tmp_path: Path):
    # A minute each; the last is lost in a crash. An hour later updates take two minutes.
    before = [(600, 10.0), (1200, 10.0), (1800, 10.0)]
    after = [(1800, 5.0), (2400, 5.0)]
    for curve, seconds, checkpoint in ((before, 1000.0, 0), (after, 4600.0, 1200)):
        values = {tag: [(steps, speed / 10) for steps, speed in curve] for tag in TAGS}
        write_events(tmp_path, {**values, SPEED: curve}, seconds, checkpoint)
    score = curves_tool.read(tmp_path)[SCORE]
    assert score.steps.tolist() == [600, 1200, 1800, 2400]
    assert_allclose(score.minutes, [1, 2, 4, 6])
    assert_allclose(score.values, [1.0, 1.0, 0.5, 0.5])


def test_a_running_mean_takes_what_there_is():
    values = np.array([1.0, 2.0, 3.0, 8.0])
    assert_allclose(curves_tool.running_mean(values, 2), [1.0, 1.5, 2.5, 5.5])
    assert_allclose(curves_tool.running_mean(values, 20), [1.0, 1.5, 2.0, 3.5])


def test_all_but_the_score_is_smoothed_and_may_have_fewer_values(tmp_path: Path):
    steps = range(600, 24_001, 600)
    values = {tag: [(at, float(index)) for index, at in enumerate(steps)] for tag in TAGS}
    values["artifacts/recall"] = values["artifacts/recall"][10:]  # no artifact before
    write_events(tmp_path, {**values, SPEED: [(at, 10.0) for at in steps]})
    curves = curves_tool.read(tmp_path)
    assert curves[SCORE].values.tolist() == [*range(40)]
    for tag in (*LOSSES, *SHARES):
        assert curves[tag].values[-1] == pytest.approx(29.5)  # the mean of 20 to 39
    assert_allclose(curves["artifacts/recall"].minutes, np.arange(11, 41))
    assert_allclose(curves["artifacts/recall"].values[:2], [10.0, 10.5])


def test_a_human_and_random_play_stand_beside_scores_only():
    curve = Curve(np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([0.5, 0.7]))
    for panel, expected in zip(PANELS, ([258.5, 22_736.3], [258.5, 22_736.3], [], []), strict=True):
        axes = Figure().subplots()
        curves_tool.draw_group(axes, panel, "C0", [dict.fromkeys(TAGS, curve)])
        curves_tool.dress(axes, panel, KUNG_FU_MASTER)
        drawn: list[Any] = [line.get_ydata() for line in axes.lines[len(panel.tags) :]]
        assert [height[0] for height in drawn] == expected
        assert (axes.get_ylim()[1] > 22_736.3) == bool(expected)


def test_two_curves_of_a_panel_differ_in_style_and_neither_start_nor_band_rules_its_axis():
    # The first loss is next to nothing, and two seeds make a band of more than 100 %.
    at = np.array([0.0, 1.0, 9.0])
    runs = [
        dict.fromkeys(TAGS, Curve(at, at, np.array([1e-5, value, value]))) for value in (0.5, 0.7)
    ]
    for panel, limit in ((PANELS[2], 0.7 * 0.5), (PANELS[3], -0.02)):
        axes = Figure().subplots()
        curves_tool.draw_group(axes, panel, "C0", runs)
        curves_tool.dress(axes, panel, KUNG_FU_MASTER)
        # The mean and its two runs, first of the one tag, then of the other.
        assert [line.get_linestyle() for line in axes.lines] == ["-"] * 3 + ["--"] * 3
        assert axes.get_ylim()[0] == pytest.approx(limit)
    assert axes.get_ylim()[1] == 1.02


def test_every_group_has_its_colour_in_the_picture(tmp_path: Path, arguments: Arguments):
    runs = [trained(tmp_path / f"seed_{seed}", seed, score=100.0 * seed) for seed in (1, 2)]
    other = trained(tmp_path / "other", entropy=0.01, score=500.0)

    def pixels(*run_dirs: Path) -> list[int]:
        """How many have the first and the second colour."""
        out = tmp_path / "pictures" / "curves.png"
        arguments(*run_dirs, "--out", out)
        curves_tool.main()
        image = imageio.imread(out)[..., :3]
        assert min(image.shape[:2]) > 1000
        return [int((image == rgb).all(axis=2).sum()) for rgb in ((31, 119, 180), (255, 127, 14))]

    blue, orange = pixels(*runs, other)
    assert blue > 2000
    assert orange > 2000
    blue, orange = pixels(*runs)
    assert blue > 2000
    assert orange == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"run_dirs must .* x/config\.json cannot be read: No such file or directory"),
        ("{", r"run_dirs must .* x/config\.json cannot be read: Expecting property name"),
        ("[1]", r"run_dirs must .* x/config\.json names no seed"),
        ('{"ppo": {}}', r"run_dirs must .* x/config\.json names no seed"),
        ('{"seed": 1}', r"run_dirs must hold two or more .*, but x has 0 of speed/steps_per_"),
    ],
)
def test_a_directory_that_holds_no_run_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Arguments,
    text: str | None,
    message: str,
):
    monkeypatch.chdir(tmp_path)
    good = trained(Path("good"))
    if text is not None:
        Path("x").mkdir()
        Path("x/config.json").write_text(text)
    arguments(good, "x", "--out", "curves.png")
    with pytest.raises(UserError, match=message):
        curves_tool.main()
    assert not Path("curves.png").exists()


def test_a_missing_curve_is_named(tmp_path: Path):
    steps = [(600, 0.5), (1200, 0.5)]
    values = dict.fromkeys((*TAGS, SPEED), steps)
    write_events(tmp_path, {**values, "artifacts/recall": steps[:1]})
    with pytest.raises(UserError, match=r"has 1 of artifacts/recall; train longer"):
        curves_tool.read(tmp_path)


def test_a_seed_counts_once(tmp_path: Path):
    run_dir = write_config(tmp_path / "a")
    (tmp_path / "link").symlink_to(run_dir)
    for again in (run_dir, tmp_path / "link", write_config(tmp_path / "copy")):
        with pytest.raises(UserError, match=rf"but .*/a and {again} have the same of both"):
            curves_tool.grouped([run_dir, again])


def test_more_groups_than_colours_are_refused(tmp_path: Path):
    runs = [write_config(tmp_path / str(k), entropy=k / 100) for k in range(11)]
    assert len(curves_tool.grouped(runs[:10])) == 10
    with pytest.raises(UserError, match="run_dirs must form at most 10 groups, got 11"):
        curves_tool.grouped(runs)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--out", "curves.png"], "run_dirs must be one or more directories of .*, got none"),
        (["x", "--out", "curves.jpg"], r"out must end in \.png, got curves\.jpg"),
        (["x", "--out", "file/c.png"], r"out must be a file that can be written, got file/c\.png"),
        (["x", "--out", "folder.png"], r"out must be a file that can be written, got folder\.png"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Arguments,
    args: list[str],
    message: str,
):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder.png").mkdir()
    arguments(*args)
    assert exit_code(curves_tool.main) == 2
    with pytest.raises(UserError, match=message):
        curves_tool.main()
    assert capsys.readouterr().err.count("\n") == 1
