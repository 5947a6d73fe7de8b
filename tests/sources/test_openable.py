"""Models that the runtime or the checker refuses, and those that end the process reading them."""

import os
import signal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.errors import ModelError
from profiler.sources import openable as module
from profiler.sources.openable import Crashed, Opener, openable


def saved(path, *, nodes=None, ir=8, opset=17, domains=(), weights=1):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    weight = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weight] * weights)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir), path)
    return path


def refused(path):
    with pytest.raises(ModelError) as caught:
        openable(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    return caught.value


def test_a_sound_model(tmp_path):
    openable(saved(tmp_path / "m.onnx"))


def test_a_newer_ir_and_a_newer_opset(tmp_path):
    ir = refused(saved(tmp_path / "ir.onnx", ir=99))
    assert "its IR version is 99, this ONNX Runtime takes" in ir.message
    assert "opset" not in ir.message
    assert "install a newer onnxruntime" in ir.hint
    opset = refused(saved(tmp_path / "opset.onnx", opset=99))
    assert "its opset is 99, this ONNX Runtime takes" in opset.message
    both = refused(saved(tmp_path / "both.onnx", ir=99, opset=99))
    assert "its IR version is 99" in both.message
    assert "its opset is 99" in both.message
    assert both.hint == opset.hint
    assert "export it again with opset " in both.hint


def test_names_and_domains_in_plain_words(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="op"),
        helper.make_node("Relu", ["a"], ["y"], name="op"),
    ]
    assert 'nodes are called "op"' in refused(saved(tmp_path / "n.onnx", nodes=nodes)).message
    assert '(initializers) are called "w"' in refused(saved(tmp_path / "w.onnx", weights=2)).message
    own = [helper.make_node("MyOp", ["x"], ["y"], domain="my.company")]
    path = saved(tmp_path / "d.onnx", nodes=own, domains=["my.company"])
    assert 'the operator MyOp of the domain "my.company"' in refused(path).message


def test_a_crash_is_the_helpers_and_the_next_model_gets_another(tmp_path, monkeypatch):
    opener = Opener()
    monkeypatch.setattr(module, "_opener", opener)
    path = saved(tmp_path / "m.onnx")
    openable(path)
    first = opener._process
    os.kill(first.pid, signal.SIGSEGV)
    first.wait()
    assert "a damaged model: ONNX Runtime ends by SIGSEGV" in refused(path).message
    openable(path)
    assert opener._process.pid != first.pid
    opener.close()


def test_a_model_that_keeps_the_helper_busy(tmp_path):
    opener = Opener()
    path = saved(tmp_path / "m.onnx")
    assert opener.ask("start", path, 20) is None
    os.kill(opener._process.pid, signal.SIGSTOP)
    with pytest.raises(Crashed, match="does not answer"):
        opener.ask("start", path, 0.1)
    assert opener.ask("start", path, 20) is None
    opener.close()
