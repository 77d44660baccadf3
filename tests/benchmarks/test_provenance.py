"""A result says what made it."""

import pytest

from benchmarks.provenance import provenance


def test_a_result_says_what_made_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["x", "--json", "F"])
    made = provenance("detector")
    assert made["command"] == "python -m benchmarks.detector --json F"
    assert len(made["commit"].removesuffix("-dirty")) == 40
    assert "cores" in made["machine"]
