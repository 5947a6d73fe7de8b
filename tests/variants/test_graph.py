"""What preparing a graph for the quantizers leaves behind."""

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from profiler.variants.graph import prepared


def test_failed_symbolic_inference_leaves_nothing_in_the_working_folder(tmp_path, monkeypatch):
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Unknown", ["h"], ["u"], domain="my.company"),
        helper.make_node("Relu", ["u"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight],
    )
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("my.company", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "m.onnx")
    work, scratch = tmp_path / "work", tmp_path / "scratch"
    work.mkdir()
    scratch.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(os, "chdir", None)  # every thread has this folder
    prepared(tmp_path / "m.onnx", Path("..", "scratch"))
    assert (scratch / "sym_shape_infer_temp.onnx").exists(), "the case is the one that leaves it"
    assert not list(work.iterdir())
