"""A damaged model whose names are no text."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from profiler.errors import ModelError
from profiler.sources.inspect import data_files, load


def whole() -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["_inner"])], "g", [], [])
    nodes = [
        helper.make_node("If", ["_input"], ["b"], name="_node", then_branch=inner),
        helper.make_node("MatMul", ["b", "_weight"], ["_output"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [info("_input", 1, ["_size", 4])], [info("_output", 1, ["n", 4])],
        [numpy_helper.from_array(np.ones((4, 4), np.float32), "_weight")],
    )  # fmt: skip
    weight = graph.initializer[0]
    onnx.external_data_helper.set_external_data(weight, "_file")
    return helper.make_model(graph)


@pytest.mark.parametrize("name", ["input", "size", "output", "weight", "file", "node", "inner"])
def test_is_refused(tmp_path, name):
    path = tmp_path / "m.onnx"
    path.write_bytes(whole().SerializeToString())
    assert load(path).graph.node
    path.write_bytes(path.read_bytes().replace(f"_{name}".encode(), f"\xff{name}".encode("latin1")))
    with pytest.raises(ModelError, match=r"m\.onnx: a damaged model: a name in it is no text"):
        load(path)
    assert data_files(path) == []
