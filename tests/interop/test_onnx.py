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


def test_the_grey_levels_are_cast_once_for_the_encoder_and_once_for_the_locator(
    graph: onnx.GraphProto,
):
    (frames,) = [
        node.output[0] for node in graph.node if node.op_type == "Reshape" and "obs" in node.input
    ]
    casts = [node.input[0] for node in graph.node if node.op_type == "Cast"]
    assert (casts.count("obs"), casts.count(frames)) == (1, 1)


def test_each_layer_is_there_once(graph: onnx.GraphProto):
    counts = Counter(node.op_type for node in graph.node)
    assert counts["Conv"] == 5  # of the encoder (2) and the locator (3)
    # Latent, actor (2), critic (2), decoder (2 and the outer products), sprites, map.
    assert counts["Gemm"] + counts["MatMul"] == 10
    assert counts["Softmax"] == 1


def test_every_expert_is_in_the_graph_whatever_chooses_who_learns():
    graph = onnx.load_from_string(to_onnx(exported_policy(experts=3))).graph
    assert Counter(node.op_type for node in graph.node)["Conv"] == 3 * 2 + 3


def test_the_exporter_keeps_its_worries_to_itself(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    # All that it could say is about its own workings, or that shapes do not fit.
    to_onnx(exported_policy())
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == []
    assert capfd.readouterr() == ("", "")
