"""Result files: where one can be, why not, and what is in it."""

import json
import math
import os
from pathlib import Path

import pytest

from experiment.files import why_not_writable, write_json


def test_a_result_is_json_whatever_was_measured(tmp_path: Path):
    path = tmp_path / "result.json"
    value = {"nan": math.nan, "ends": (math.inf, -math.inf, 1.5), "rows": [{"x": math.nan}], "n": 3}
    write_json(path, value)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    found = json.loads(path.read_text(), parse_constant=refuse)
    assert found == {"nan": None, "ends": [None, None, 1.5], "rows": [{"x": None}], "n": 3}
    write_json(path, [1, 2], indent=None)
    assert path.read_text() == "[1, 2]\n"


def test_where_a_file_can_be_there_is_no_reason(tmp_path: Path):
    (tmp_path / "old").write_text("")
    for name in ("new", "old", "ü :b: [red]"):
        assert why_not_writable(tmp_path / name) is None
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_why_there_can_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("directory").mkdir()
    Path("link").symlink_to("file")
    Path("dangling").symlink_to("gone")
    os.mkfifo("pipe")
    for path, why in {
        "directory": "it is a directory",
        "link": "it is a link",
        "dangling": "it is a link",
        "pipe": "it is a pipe",
        "/dev/null": "it is a device",
        "dangling/below": "dangling is a link to gone, which is not there",
        "nowhere/below": "nowhere is not there",
        "file/below": "file is a file",
        "file/deeper/below": "file is a file",
        "dangling/deeper/below": "dangling is a link to gone, which is not there",
        "a\0b": "it has a null byte",
        "x" * 251: "its name is too long",
    }.items():
        assert why_not_writable(Path(path)) == why
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert why_not_writable(Path("directory/new")) == "directory cannot be written"
