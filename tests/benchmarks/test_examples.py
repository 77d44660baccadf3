"""The example commands in the docstrings of benchmarks and tools have flags that exist."""

import ast
import importlib
import shlex
from pathlib import Path

import pytest
import tyro

from experiment.command_line import parse

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for name in ("benchmarks", "tools") for path in (ROOT / name).glob("*.py"))


def examples(path: Path) -> list[list[str]]:
    """The words of every example command; Python has joined continued lines."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    commands = text.partition("Example:\n")[2]
    return [shlex.split(line) for line in commands.splitlines() if line.strip()]


WITH_EXAMPLE = [path for path in MODULES if examples(path)]


def test_every_command_but_the_yardsticks_has_an_example():
    commands = {path.stem for path in MODULES if "__main__" in path.read_text()}
    assert commands - {path.stem for path in WITH_EXAMPLE} == {"sb3", "sb3_damage"}


@pytest.mark.parametrize("path", WITH_EXAMPLE, ids=lambda path: path.stem)
def test_an_example_is_a_command_of_its_module(path: Path, monkeypatch: pytest.MonkeyPatch):
    def only_parse(*args, **kwargs):
        tyro_cli(*args, **kwargs)
        raise SystemExit(0)

    tyro_cli = tyro.cli
    for words in examples(path):
        name = f"{path.parent.name}.{path.stem}"
        assert words[:3] == ["python", "-m", name]
        if path.stem == "breakdown":  # its flags, but for the first, are those of a training
            parse(words[4:])
            continue
        monkeypatch.setattr(tyro, "cli", only_parse)
        monkeypatch.setattr("sys.argv", words[2:])
        with pytest.raises(SystemExit) as left:
            importlib.import_module(name).main()
        assert left.value.code == 0
