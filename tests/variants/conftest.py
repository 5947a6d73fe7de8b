import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from profiler.schema.study.model import ModelSpec
from profiler.sources import load_baseline

SIDE = 8


def model(kind, version=18, batch="batch"):
    """A small model: 'dense' (two products), 'conv', or 'waves' (nothing to quantize)."""
    generator = np.random.default_rng(0)
    weights, nodes, shape = [], [], [batch, 16]

    def weight(name, *size):
        value = generator.normal(size=size).astype(np.float32)
        weights.append(onnx.numpy_helper.from_array(value, name))
        return name

    if kind == "dense":
        nodes = [
            helper.make_node("MatMul", ["x", weight("a", 16, 32)], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", weight("b", 32, 4)], ["y"]),
        ]
    elif kind == "conv":
        shape = [batch, 2, SIDE, SIDE]
        nodes = [helper.make_node("Conv", ["x", weight("k", 4, 2, 3, 3)], ["y"])]
    else:
        nodes = [helper.make_node("Sin", ["x"], ["y"])]
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))],
        initializer=weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    made.ir_version = 8
    return made


@pytest.fixture
def baseline(tmp_path):
    """Make a baseline artifact in tmp_path/results."""

    def make(kind="dense", version=18, batch="batch"):
        onnx.save(model(kind, version, batch), tmp_path / f"{kind}.onnx")
        return load_baseline(
            ModelSpec(name=kind, onnx=f"{kind}.onnx"),
            folder=tmp_path,
            out=tmp_path / "results" / "artifacts",
        )

    return make


@pytest.fixture
def rows():
    """Calibration rows for a kind of model."""

    def make(kind="dense", count=12):
        shape = (count, 2, SIDE, SIDE) if kind == "conv" else (count, 16)
        return {"x": np.random.default_rng(1).normal(size=shape).astype(np.float32)}

    return make
