"""A policy as an ONNX model."""

import json
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict

import onnx
import torch

from interop.policy import ExportedPolicy, PolicyOutput

OPSET = 18
"""Version of ONNX's operators: the one that PyTorch's exporter writes without a conversion."""


def to_onnx(policy: ExportedPolicy) -> bytes:
    """A policy as an ONNX model of any batch size, checked.

    Its inputs are ``obs`` and ``gauges``, its outputs are named like the fields of
    ``PolicyOutput``, and the config stands in its metadata, each field as JSON under its name.
    """
    obs = torch.zeros((2, *policy.config.game.obs_shape), dtype=torch.uint8)
    gauges = torch.zeros((2, len(policy.config.game.gauge_names)))
    batch = torch.export.Dim("batch")
    with quiet_exporter():
        program = torch.onnx.export(
            policy,
            (obs, gauges),
            input_names=["obs", "gauges"],
            output_names=PolicyOutput._fields,
            dynamic_shapes={"obs": {0: batch}, "gauges": {0: batch}},
            opset_version=OPSET,
            verbose=False,
        )
    assert program
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("metadata_props")  # stack traces, with paths of this machine
    for name, value in asdict(policy.config).items():
        model.metadata_props.add(key=name, value=json.dumps(value))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


@contextmanager
def quiet_exporter() -> Generator[None]:
    """Keep back what PyTorch's exporter says to its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would say that torchvision is missing
    with warnings.catch_warnings():
        # PyTorch's exporter calls what PyTorch has deprecated.
        warnings.filterwarnings("ignore", "# The axis name: batch will not be used", UserWarning)
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        try:
            yield
        finally:
            logger.setLevel(level)
