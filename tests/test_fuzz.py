"""Random command lines and random bytes: accepted and run for a moment, or refused in one line.

Every value of every flag is drawn from what a type allows, what it hardly allows and what it does
not. The learner is the real one; the games are stand-ins, so that an example takes no second.
``make test-long`` tries many more.
"""

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import evaluate
import train
from benchmarks import (
    credit,
    detector,
    does_seeing_pay,
    painted_over,
    reconstruction,
    score,
    soak,
    throughput,
    time_to_score,
)
from envs import KUNG_FU_MASTER as GAME
from envs import Projection
from evaluation import evaluate_agent
from experiment import training_state
from experiment.checkpoint import CheckpointError
from experiment.command_line import exit_code
from experiment.config import TrainConfig
from experiment.run_directory import RunDirectory, load_checkpoint
from settings import flat, to_json
from tests.agent.dummy import CountingEnv, CountingGame

TINY = [
    "--num-envs", "2", "--ppo.num-steps", "4", "--ppo.num-minibatches", "1",
    "--model.autoencoder.encoder.channels", "2", "2", "--model.autoencoder.decoder.units", "8",
    "--evaluation-games", "1", "--total-steps", "8", "--algorithm", "ppo",
]  # fmt: skip
NUMBERS = [
    "0", "1", "2", "3", "4", "8", "0.5", "0.99", "1e-3", "-1", "-0.5", "257", "100000", "1e300",
    "-1e300", "1e-300", "nan", "inf", "-inf", str(10**30), str(-(10**30)), "007", "1_0", "0x10",
]  # fmt: skip
WORDS = [
    "True", "False", "ppo", "a2c", "cpu", "cuda", "cuda:0", "joint", "reconstruction", "None", "",
    " ", "-", "--", "ü", "\x00", "[bold]", "a" * 5000,
]  # fmt: skip
ANYTHING = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(WORDS), st.text(max_size=8))
EMPTY = st.just([])
FIELDS = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in flat(to_json(TrainConfig())).items()
    if name != "run_dir"
}
LIKELY = {
    bool: st.sampled_from(["True", "False"]),
    int: st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 16, 40]).map(str),
    float: st.sampled_from([0.0, 1e-6, 0.1, 0.5, 0.999, 1.0, 3.0, 1000.0, 1e6]).map(str),
    str: st.sampled_from(["ppo", "a2c", "cpu", "joint", "reconstruction"]),
}
"""Values that a field of a type may well have."""


RUN_NAMES = st.integers(0, 9).flatmap(lambda chance: st.just("run") if chance else ANYTHING)
"""Nine in ten are a plain directory."""


def values(default: object) -> st.SearchStrategy[str]:
    """For a field with this default: three in four of its type, the others anything."""
    likely = LIKELY.get(type(default), ANYTHING)
    return st.integers(0, 3).flatmap(lambda chance: likely if chance else ANYTHING)


SHORT = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=2000)


def stand_in(_: object, __: object, count: int, *___: object) -> list[CountingEnv]:
    """Games of seven steps that look like the real ones, instead of ``make_env_parts``."""
    sizes = [size for size in (count - count // 2, count // 2) if size]
    return [CountingEnv([7] * size, GAME.obs_shape, len(GAME.gauge_names)) for size in sizes]


def stand_in_game(_: object, __: object) -> CountingGame:
    """The same instead of ``SingleEnv``."""
    return CountingGame(7, GAME.obs_shape, num_gauges=len(GAME.gauge_names))


def stand_in_games(_: object, __: object, count: int) -> list[CountingGame]:
    """The same instead of ``make_logged_envs``."""
    return [stand_in_game(None, None) for _ in range(count)]


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    with (
        mock.patch.object(train, "make_env_parts", stand_in),
        mock.patch.object(train, "SingleEnv", stand_in_game),
        mock.patch.object(evaluate, "make_logged_envs", stand_in_games),
        mock.patch.object(evaluate_agent, "make_logged_envs", stand_in_games),
        mock.patch.object(evaluate_agent, "WORTH_PROCESSES", 10**9),  # which play real games
        mock.patch.object(training_state, "calibrate", return_value=projection),
    ):
        yield


def outcome(main: Callable[[Sequence[str]], int], flags: Sequence[str]) -> tuple[int, str]:
    """Exit code, and what was printed to the error stream, of a command line."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(flags)
        except SystemExit as left:
            code = int(left.code or 0)
    return code, errors.getvalue()


def check_outcome(main: Callable[[Sequence[str]], int], flags: Sequence[str]) -> int:
    """Run a command line that may end well or be refused; any exception is a failure."""
    code, error = outcome(main, flags)
    assert code in (0, 2), (flags, code, error)
    event(f"exit code {code}")
    assert "Traceback" not in error
    if code == 2:
        assert error.strip(), flags
        # In one line, or in the box that tyro draws around it and its suggestions.
        lines = error.count("\n")
        assert lines == 1 if error.startswith("error: ") else "For full helptext" in error, error
    return code


@st.composite
def train_flags(draw: st.DrawFn) -> list[str]:
    """One to three flags with any values."""
    flags: list[str] = []
    for name in draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=3, unique=True)):
        default = FIELDS[name]
        flags.append("--" + name.replace("_", "-"))
        if name != "resume":
            single = default if isinstance(default, tuple) else (default,)
            flags += [draw(values(one)) for one in single]
    return flags


def try_train(flags: list[str], name: str) -> None:
    with stand_ins(), tempfile.TemporaryDirectory() as directory:
        run_dir = f"{directory}/a/b/c/{name}"  # whatever it is, it stays in there
        code = check_outcome(train.main, ["--run-dir", run_dir, *TINY, *flags])
        if code == 0 and not {"--help", "-h"} & set(flags):
            load_checkpoint(Path(run_dir))


@SHORT
@given(train_flags(), RUN_NAMES)
def test_any_training_runs_or_is_refused(flags: list[str], name: str):
    try_train(flags, name)


@pytest.mark.long
@LONG
@given(train_flags(), RUN_NAMES)
def test_very_many_trainings_run_or_are_refused(flags: list[str], name: str):
    try_train(flags, name)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two checkpoints."""
    path = tmp_path_factory.mktemp("fuzz") / "a" / "b" / "c" / "run"
    with stand_ins():
        flags = ["--run-dir", str(path), *TINY, "--checkpoint-interval", "8", "--total-steps", "16"]
        assert outcome(train.main, flags)[0] == 0
    return path


@SHORT
@given(train_flags())
def test_any_resumption_runs_or_is_refused(run_dir: Path, flags: list[str]):
    with stand_ins(), tempfile.TemporaryDirectory() as directory:
        shutil.copytree(run_dir, f"{directory}/run")
        check_outcome(train.main, ["--run-dir", f"{directory}/run", "--resume", *flags])


@SHORT
@given(st.data())
def test_any_evaluation_runs_or_is_refused(run_dir: Path, data: st.DataObject):
    try_evaluation(run_dir, data)


@pytest.mark.long
@LONG
@given(st.data())
def test_very_many_evaluations_run_or_are_refused(run_dir: Path, data: st.DataObject):
    try_evaluation(run_dir, data)


def try_evaluation(run_dir: Path, data: st.DataObject) -> None:
    paths = [str(run_dir), str(RunDirectory(run_dir).numbered()[0]), str(run_dir.parent), "no", ""]
    path = data.draw(st.one_of(st.sampled_from(paths), RUN_NAMES.map(lambda name: f"no/{name}")))
    flags = ["--checkpoint", path, "--episodes", "1"]
    for name in data.draw(
        st.lists(st.sampled_from(["episodes", "seed", "json", "markdown"]), unique=True)
    ):
        is_file = name in ("json", "markdown")
        value = data.draw(values("" if is_file else 1))
        flags += [f"--{name}", f"{run_dir.parent}/{value}" if is_file else value]
    with stand_ins():
        check_outcome(evaluate.main, flags)


@SHORT
@given(st.data())
def test_any_damage_to_a_checkpoint_is_named(run_dir: Path, data: st.DataObject):
    try_damage(run_dir, data)


@pytest.mark.long
@LONG
@given(st.data())
def test_very_much_damage_to_a_checkpoint_is_named(run_dir: Path, data: st.DataObject):
    try_damage(run_dir, data)


def try_damage(run_dir: Path, data: st.DataObject) -> None:
    """Cut, insert or exchange some bytes: what is loaded is what was saved, or nothing."""
    whole = RunDirectory(run_dir).numbered()[-1].read_bytes()
    at = data.draw(st.integers(0, len(whole)) | st.integers(0, 3000))
    piece = data.draw(st.binary(max_size=16))
    removed = data.draw(st.integers(0, 16) | st.just(len(whole)))
    damaged = whole[:at] + piece + whole[at + removed :]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.safetensors"
        path.write_bytes(whole)
        saved = load_checkpoint(path)
        path.write_bytes(damaged)
        with contextlib.suppress(CheckpointError):  # anything else is a failure
            found = load_checkpoint(path)
            assert found.state == saved.state
            assert found.tensors.keys() == saved.tensors.keys()
            for name, value in found.tensors.items():
                assert np.array_equal(value.numpy(), saved.tensors[name].numpy())


PATHS = ("json", "runs", "data", "agent", "agents")
"""Fields that are not drawn: a benchmark writes where it is told to."""


class BeginningError(Exception):
    """A benchmark began its long work."""


WORK: dict[ModuleType, str] = {
    credit: "run_study",
    detector: "calibrate",
    does_seeing_pay: "run_study",
    painted_over: "load_agent",
    reconstruction: "calibrate",
    score: "run_study",
    soak: "watch",
    throughput: "measure",
    time_to_score: "train",
}
"""Where each benchmark's long work begins."""


@pytest.mark.parametrize("module", WORK, ids=lambda module: module.__name__)
def test_any_benchmark_starts_or_is_refused(module: ModuleType, tmp_path: Path):
    def begin(*_: object, **__: object) -> None:
        raise BeginningError

    def main(flags: Sequence[str]) -> int:
        with (
            mock.patch.object(module, WORK[module], begin),
            mock.patch("sys.argv", [module.__name__, *flags]),
        ):
            try:
                return exit_code(module.main)
            except BeginningError:
                return 0

    config = next(
        value for name, value in vars(module).items()
        if name.endswith("Config") and getattr(value, "__module__", "") == module.__name__
    )  # fmt: skip
    names = [name for name in config.__dataclass_fields__ if name not in PATHS]

    @settings(SHORT, max_examples=25)
    @given(st.data())
    def tries(data: st.DataObject) -> None:
        flags = ["--json", f"{tmp_path}/{data.draw(RUN_NAMES)}.json"]
        for name in data.draw(st.lists(st.sampled_from(names), unique=True) if names else EMPTY):
            flags += ["--" + name.replace("_", "-"), data.draw(values(1))]
        check_outcome(main, flags)

    tries()
