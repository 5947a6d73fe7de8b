"""Rows cut into queries: whole batches are views, the last one is filled, timed ones are copies."""

from array import array

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.wire.messages import Job
from profiler.worker.backends import issue
from profiler.worker.backends.ort import OrtBackend, _queries, feeds_to_bind

X = np.arange(14, dtype=np.float32).reshape(7, 2)


def test_whole_batches_are_views_and_the_last_is_filled_by_cycling():
    found = [feed["x"] for feed in _queries({"x": X}, 3, True)]
    assert [f[:, 0].tolist() for f in found] == [[0, 2, 4], [6, 8, 10], [12, 0, 2]]
    assert [np.shares_memory(f, X) for f in found] == [True, True, False]


@pytest.mark.parametrize("stack", [True, False])
def test_what_is_timed_lies_in_memory_of_its_own(tmp_path, stack):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for feed in feeds_to_bind({"x": mapped}, 3, stack, 1):
        assert type(feed["x"]) is np.ndarray
        assert not np.shares_memory(feed["x"], mapped)


@pytest.mark.parametrize("declared", [["n", 3], [1, 3], ["n", 2, 1], None, ["n", "m"]], ids=str)
def test_an_output_of_another_shape_than_declared_stays_unbound(tmp_path, declared):
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "one"], ["same"]),
        helper.make_node("Reshape", ["x", "same"], ["y"]),
        helper.make_node("Relu", ["x"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, declared),
         helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.ones(2, np.int64), "one")],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "m.onnx")
    backend = OrtBackend()
    backend.load(Job(trial="t", batch=2), tmp_path / "m.onnx")
    backend.bind({"x": X}, 2, True, 1)
    issue(backend, 0, 8)
    backend.prepare()
    issue(backend, 0, 8)
    times = array("q", bytes(8 * 8))
    backend.timed(8, times)
    assert all(times)
    assert backend.predict({"x": X}, 2, True)["y"].shape == X.shape


def test_outputs_that_are_no_array_of_numbers_are_timed_and_not_kept(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("SplitToSequence", ["x"], ["parts"], axis=1),
        helper.make_node("Cast", ["x"], ["words"], to=TensorProto.STRING),
        helper.make_node("ReduceSum", ["x"], ["all"], keepdims=0),
    ]
    outputs = [
        helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("words", TensorProto.STRING, ["n", 2]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("all", TensorProto.FLOAT, []),
    ]
    x = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])]
    opset = [helper.make_opsetid("", 17)]

    def backend(outputs, judged):
        graph = helper.make_graph(nodes, "g", x, outputs)
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        onnx.save(model, tmp_path / "m.onnx")
        made = OrtBackend()
        made.load(Job(trial="t", batch=2, judged=judged), tmp_path / "m.onnx")
        made.bind({"x": X}, 2, True, 1)
        issue(made, 0, 8)
        made.prepare()
        times = array("q", bytes(8 * 8))
        made.timed(8, times)
        assert all(times)
        return made

    found = backend(outputs, ("y",)).predict({"x": X}, 2, True)
    assert list(found) == ["y"]
    assert np.array_equal(found["y"], X)
    assert list(backend(outputs[:3], ()).predict({"x": X}, 2, True)) == ["y"]
    assert backend(outputs[:2], ()).predict({"x": X}, 2, True) == {}
    assert backend(outputs[:2], ()).call({"x": X}) == {}
    with pytest.raises(RuntimeError, match="no batch of 2 first"):
        backend(outputs, ("all",)).predict({"x": X}, 2, True)
