"""Every command, snippet, flag and name in README and docs.

Commands are parsed as written and run on a small scale; what has a name must be there.
"""

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields as fields_of
from pathlib import Path

import pytest
import torch
import tyro

import evaluate
import export
import train
from benchmarks.data import DataConfig
from envs import Projection
from experiment import training_state
from experiment.config import TrainConfig
from experiment.run_directory import RunDirectory
from experiment.trained_agent import load_agent
from settings import flat, to_json

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = ".venv/bin/python"
SMALL: dict[str, dict[str, str]] = {
    "train.py": {
        "--num-envs": "4",
        "--ppo.num-steps": "8",
        "--ppo.num-minibatches": "2",
        "--env.max-episode-frames": "800",
    },
    "evaluate.py": {"--episodes": "1"},
    "-m examples.sb3_features": {"--total-steps": "64"},
}
"""Flags that make a command quick."""
MAINS: dict[str, Callable[[list[str]], int]] = {
    "train.py": train.main, "evaluate.py": evaluate.main, "export.py": export.main,
}  # fmt: skip
RUNS = {*MAINS, "-m tools.curves", "-m tools.fingerprint", "-m examples.sb3_features"}
"""Commands that are run; those of the studies, which take hours, are only parsed."""
LONG, STEPS = 1600, 320
"""Agent steps of trainings: long enough for curves of knives and games, and of all that need none.
The run that most pages start from is a long one."""
ELSEWHERE = {"hf"}
"""Programs that talk to a server."""


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(page.read_text()) if kind == language]


def commands(page: Path) -> list[str]:
    """Every line of the page's shell blocks, continued lines joined."""
    text = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def expanded(command: str) -> list[list[str]]:
    """What a command is in the end: for make the lines that it would run, without the set-up."""
    if not command.startswith("make "):
        return [shlex.split(command)]
    installed = [f"--old-file=.venv/{name}" for name in INSTALLED]
    # The tests may run under make themselves, whose flags are not this command's.
    theirs = re.compile("MAKE|^ARGS$|^RUN_DIR$")
    environment = {name: value for name, value in os.environ.items() if not theirs.search(name)}
    printed = subprocess.run(
        ["make", "--dry-run", *installed, *shlex.split(command)[1:]],
        check=True, capture_output=True, text=True, cwd=ROOT, env=environment,
    ).stdout  # fmt: skip
    return [shlex.split(line) for line in printed.replace("\\\n", " ").splitlines() if line]


INSTALLED = re.findall(r"^\$\(VENV\)/(\.installed\S*):", (ROOT / "Makefile").read_text(), re.M)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which everything but results is that of the repository."""
    for entry in ROOT.iterdir():
        if entry.name not in {"runs", "data", "site", ".venv"}:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    projection = Projection(((66, 72, 200), (180, 122, 48)), ((74, 74, 74),))
    monkeypatch.setattr(training_state, "calibrate", lambda *_: projection)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    return tmp_path


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What most pages start from."""
    path = tmp_path_factory.mktemp("trained") / "kung_fu_master"
    flags = [part for flag in SMALL["train.py"].items() for part in flag]
    flags += ["--run-dir", str(path), "--total-steps", str(LONG), "--evaluation-games", "1"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert train.main(flags) == 0
    run = RunDirectory(path)
    assert not run.best.exists()  # fewer than 50 games have ended
    shutil.copy(run.numbered()[-1], run.best)
    return path


def start(name: str) -> None:
    """Run a command with the arguments in ``sys.argv``."""
    if name.startswith("-m "):
        importlib.import_module(name.removeprefix("-m ")).main()
    else:
        runpy.run_path(name, run_name="__main__")


def parse_only(name: str, flags: list[str]) -> None:
    """Run a command up to where its flags are known to be right."""

    def parse(*args, **kwargs):
        tyro_cli(*args, **kwargs)
        raise SystemExit(0)

    tyro_cli, arguments = tyro.cli, sys.argv
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tyro, "cli", parse)
        patch.setattr(sys, "argv", [name, *flags])
        with pytest.raises(SystemExit) as left:
            start(name)
    sys.argv = arguments
    assert left.value.code in (0, None), (name, flags)


def shrunk(name: str, flags: list[str], steps: int) -> list[str]:
    """The same command on a small scale, a new training with ``steps``."""
    small = dict(SMALL.get(name, {}))
    if name == "train.py":
        resumes = "--resume" in flags
        small = {} if resumes else small
        if "a2c" in flags:
            small.pop("--ppo.num-minibatches", None)  # it has but one
        total = trained_steps(flags) + 64 if resumes else steps
        small |= {"--total-steps": str(total), "--evaluation-games": "1"}
    kept: list[str] = []
    rest = iter(flags)
    for flag in rest:
        if flag in small:
            next(rest)
        else:
            kept.append(flag)
    return [*kept, *(part for item in small.items() for part in item)]


def trained_steps(flags: list[str]) -> int:
    """Of the run that a command goes on with."""
    named = flags[flags.index("--run-dir") + 1] if "--run-dir" in flags else TrainConfig.run_dir
    return load_agent(Path(named)).statistics.steps


def run(words: list[str], steps: int) -> None:
    """Parse a command as written, and run it on a small scale if it is one of ``RUNS``.

    A new training has ``steps``.
    """
    if words[0] == ".venv/bin/pip":
        extras = re.findall(r"\[(.+)\]", " ".join(words))
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        wanted = {name for group in extras for name in group.split(",")}
        assert wanted <= set(known["optional-dependencies"])
        return
    if Path(words[0]).name in {"tensorboard", "mkdocs", "ruff", "pyright"}:
        assert shutil.which(Path(words[0]).name, path=str(Path(sys.executable).parent))
        return
    if Path(words[0]).name in ELSEWHERE:
        return
    if Path(words[0]).name == "torchrun":  # here one rank will do; see tests/test_torchrun.py
        words = [PYTHON, *words[words.index("train.py") :]]
    assert words[0] == PYTHON, words
    name, flags = (words[1], words[2:]) if words[1] != "-m" else (f"-m {words[2]}", words[3:])
    if name == "-m pytest":
        return
    if "--tyro-print-completion" in flags:
        with pytest.raises(SystemExit) as left, contextlib.redirect_stdout(io.StringIO()) as shown:
            MAINS[name](flags)
        assert left.value.code in (0, None)
        assert "complete -F" in shown.getvalue()
        return
    parse_only(name, flags)
    no_device = "cuda" in " ".join(flags) and not torch.cuda.is_available()
    if name not in RUNS or "--watch" in flags or no_device:
        return
    flags = shrunk(name, flags, steps)
    if name in MAINS:
        assert MAINS[name](flags) == 0, (name, flags)
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [name, *flags])
            start(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # other libraries'
def test_what_a_page_says_works(page: Path, workspace: Path, trained_run: Path):
    lines = commands(page)
    starts_anew = any("make train" in line and "RUN_DIR" not in line and "--resume" not in line
                      for line in lines)  # fmt: skip
    if not starts_anew:
        shutil.copytree(trained_run, workspace / "runs" / "kung_fu_master")
    steps = LONG if any("tools.curves" in line for line in lines) else STEPS
    for line in lines:
        for words in expanded(line):
            run(words, steps)
    scope: dict[str, object] = {"__name__": "docs"}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), scope)


@pytest.mark.parametrize("run_dir", ["runs/my run", "it's", "$HOME `x` \\"])
def test_make_takes_a_run_directory_of_any_name(run_dir: str):
    command = shlex.join(
        ["make", "train", "RUN_DIR=" + run_dir.replace("$", "$$"), "ARGS=--seed 2"]
    )
    assert expanded(command) == [[PYTHON, "train.py", "--run-dir", run_dir, "--seed", "2"]]
    for target in ("evaluate", "watch"):
        ((_, _, flag, name, *_),) = expanded(command.replace("train", target))
        assert (flag, name) == ("--checkpoint", run_dir)


PRODUCT: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
    "packages"
]
"""Packages that are installed, inner ones too."""
PACKAGES = {name.partition(".")[0] for name in PRODUCT} | {"benchmarks", "examples", "tools"}
OURS = [page for page in PAGES if page.name != "comparison.md"]
"""Pages on Knifesight; the other one names files and flags of other projects."""


def sources(folder: Path) -> list[Path]:
    """Its files with code or text of the program, relative to the repository."""
    found = [path for ending in ("*.py", "*.jinja") for path in folder.rglob(ending)]
    return sorted(path.relative_to(ROOT) for path in found if path.name != "__init__.py")


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    path = ROOT.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    owner, _, attribute = name.rpartition(".")
    return is_there(owner) and hasattr(importlib.import_module(owner), attribute)


@pytest.mark.parametrize("page", OURS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_module_that_a_page_names_is_there(page: Path):
    text = BLOCK.sub("", page.read_text())  # what blocks name is run
    files = re.findall(r"`((?:\w+/)*\w+\.(?:py|md\.jinja))`", text)
    assert [name for name in files if not (ROOT / name).is_file()] == []
    # What has a slash beside it is a path or an address, and what ends like a file is one.
    names = re.findall(rf"(?<![\w./-])((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+)(?![\w/])", text)
    names = [name for name in names if not name.endswith((".md", ".py", ".json", ".png"))]
    assert [name for name in names if not is_there(name)] == []


@pytest.mark.parametrize("page", OURS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_flag_that_a_page_names_exists(page: Path):
    others = (evaluate.EvaluateConfig, export.ExportConfig, DataConfig)
    fields = {*flat(to_json(TrainConfig())), *(f.name for kind in others for f in fields_of(kind))}
    flags = {"--help", *("--" + name.replace("_", "-") for name in fields)}
    told = re.findall(r"`(--[a-z][\w.-]*)(\*?)", page.read_text())
    assert [
        flag + star
        for flag, star in told
        if not (any(known.startswith(flag) for known in flags) if star else flag in flags)
    ] == []


def test_the_readme_has_a_line_for_every_file():
    expected = [path for name in PACKAGES for path in sources(ROOT / name)]
    expected += [path.relative_to(ROOT) for path in ROOT.glob("*.py")]
    told = re.findall(r"^\| `([\w/.]+)` \|", (ROOT / "README.md").read_text(), re.M)
    assert sorted(told) == sorted(map(str, expected))


@pytest.mark.parametrize("package", sorted({name.partition(".")[0] for name in PRODUCT}))
def test_the_reference_has_every_module_on_the_page_of_its_package(package: str):
    page = (ROOT / "docs" / "reference" / f"{package}.md").read_text()
    told = re.findall(r"^::: (\S+)$", page, re.M)
    modules = [path.with_suffix("") for path in sources(ROOT / package) if path.suffix == ".py"]
    assert sorted(told) == sorted(".".join(module.parts) for module in modules)


def test_the_docs_have_commands_and_snippets_of_every_kind():
    # Against a pattern that finds nothing.
    lines = [line for page in PAGES for line in commands(page)]
    assert len(lines) > 20
    assert any("export.py" in line for line in lines)
    assert sum(len(blocks(page, "python")) for page in PAGES) > 5
    assert os.path.lexists(ROOT / "docs" / "results")
