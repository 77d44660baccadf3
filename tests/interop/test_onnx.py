"""What stands in the ONNX graph; ``tests/test_export.py`` runs it."""

import logging
from collections import Counter

import onnx
import pytest

from interop.onnx import to_onnx
from tests.interop.exported import exported_policy


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load_from_string(to_onnx(exported_policy())).graph


def test_the_grey_levels_are_cast_once_and_nothing_else_is(graph: onnx.GraphProto):
    casts = [node for node in graph.node if "Cast" in node.op_type]
    assert [list(node.input) for node in casts] == [["obs"]]


def test_each_layer_is_there_once(graph: onnx.GraphProto):
    counts = Counter(node.op_type for node in graph.node)
    assert counts["Conv"] == 2
    # Latent, actor (2), critic (2), decoder (2 and the outer products).
    assert counts["Gemm"] + counts["MatMul"] == 8
    assert counts["Softmax"] == 1


def test_the_exporter_keeps_its_worries_to_itself(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    # All that it could say is about its own workings, or that shapes do not fit.
    to_onnx(exported_policy())
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == []
    assert capfd.readouterr() == ("", "")
