"""Models that take text are refused with the line that makes one of numbers of them."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.errors import ModelError
from profiler.schema.study.model import ModelSpec
from profiler.sources.formats.onnx_file import load_onnx


def saved(path, nodes):
    """s[N, 4] of text and x[N, 3] of numbers to y[N, 3]."""
    inputs = [
        helper.make_tensor_value_info("s", TensorProto.STRING, ["N", 4]),
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    weight = numpy_helper.from_array(np.ones((4, 3), "float32"), "w")
    graph = helper.make_graph(nodes, "g", inputs, [output], [weight])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=9), path)


def refused(folder):
    with pytest.raises(ModelError, match='its input "s" is text; only numbers are fed') as caught:
        load_onnx(ModelSpec(name="m", onnx="m.onnx"), folder=folder, out=folder / "out")
    return caught.value.hint


def test_the_line_that_cuts_text_off_works(tmp_path, monkeypatch):
    lower = helper.make_node("Identity", ["s"], ["t"])
    encode = helper.make_node(
        "LabelEncoder", ["t"], ["c"], domain="ai.onnx.ml", keys_strings=["a", "b"],
        values_floats=[1.0, 2.0], default_float=0.0,
    )  # fmt: skip
    rest = [helper.make_node("MatMul", ["c", "w"], ["z"]), helper.make_node("Add", ["z", "x"], "y")]
    saved(tmp_path / "m.onnx", [lower, encode, *rest])
    line = re.search(r"onnx\.utils\.extract_model\(.*?\]\)", refused(tmp_path))
    monkeypatch.chdir(tmp_path)
    exec(line[0], {"onnx": onnx})
    spec = ModelSpec(name="m", onnx="numbers.onnx")
    made = load_onnx(spec, folder=tmp_path, out=tmp_path / "out")
    assert [t.name for t in made.inputs] == ["x", "c"]


def test_where_text_stays_text(tmp_path):
    """No tensor of numbers comes of it: the line would be wrong."""
    same = helper.make_node("Identity", ["s"], ["t"])
    rest = helper.make_node("Identity", ["x"], ["y"])
    saved(tmp_path / "m.onnx", [same, rest])
    assert refused(tmp_path).startswith("export the model without the encoding of its text")
