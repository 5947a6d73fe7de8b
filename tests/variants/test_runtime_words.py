"""What ONNX Runtime says and is asked while a model is prepared for 8 bits."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from profiler.variants.graph import prepared
from profiler.variants.operators import unresolved


def save(path, nodes, *weights):
    info = helper.make_tensor_value_info
    values = [numpy_helper.from_array(np.ones((4, 4), np.float32), name) for name in weights]
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, ["n", 4])],
        [info("y", TensorProto.FLOAT, ["n", 4])], values,
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def test_its_warnings_do_not_reach_the_terminal(tmp_path, capfd):
    model = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], "w", "idle")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    prepared(model, scratch)
    assert capfd.readouterr().err == ""  # the idle weights are worth a coloured warning to it


def test_a_model_without_a_computed_product_keeps_no_node_float(tmp_path):
    nodes = [
        helper.make_node("LayerNormalization", ["x", "w"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    model = save(tmp_path / "m.onnx", nodes, "w")
    assert unresolved(model, [{"x": np.ones((4, 4), np.float32)}]) == []
