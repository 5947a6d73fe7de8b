import hashlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from profiler.errors import ModelError, ResultsError
from profiler.schema.study.model import ModelSpec
from profiler.sources import load_baseline
from profiler.sources.inspect import load, opset, tensors
from profiler.sources.keep import keep


def saved(path, nodes=None, inputs=None, weights=(), version=18):
    nodes = nodes or [helper.make_node("Relu", ["x"], ["y"])]
    if inputs is None:
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", None])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def loaded(folder, name="m.onnx"):
    out = folder / "results" / "artifacts"
    return load_baseline(ModelSpec(name="m", onnx=name), folder=folder, out=out)


def failure(folder, name="m.onnx"):
    with pytest.raises(ModelError) as caught:
        loaded(folder, name)
    assert not list(folder.glob("results/artifacts/*"))
    return f"{caught.value.message} | {caught.value.hint}"


def test_copies_the_same_bytes_under_their_hash(tmp_path):
    path = saved(tmp_path / "m.onnx")
    got = loaded(tmp_path)
    content = path.read_bytes()
    assert got.sha == hashlib.sha256(content).hexdigest()
    assert got.path == f"artifacts/{got.sha}.onnx"
    assert (tmp_path / "results" / got.path).read_bytes() == content
    assert got.bytes == len(content)
    assert got.inputs[0].shape == ("batch", 3)
    assert got.inputs[0].dtype == "float32"
    assert got.outputs[0].shape == ("batch", "y.1")
    assert got.variant == "fp32"
    assert got.parity is None
    assert loaded(tmp_path) == got


def test_weights_listed_as_inputs_are_not_inputs(tmp_path):
    weight = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    declared = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2]),
    ]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    saved(tmp_path / "m.onnx", [node], declared, [weight])
    assert [t.name for t in loaded(tmp_path).inputs] == ["x"]


def test_dtypes_and_unknown_shapes(tmp_path):
    values = [
        helper.make_tensor_value_info("a", TensorProto.BFLOAT16, None),
        helper.make_tensor_value_info("b", TensorProto.STRING, []),
        helper.make_tensor_value_info("c", TensorProto.BOOL, [None, "n"]),
        helper.make_tensor_sequence_value_info("d", TensorProto.FLOAT, None),
    ]
    model = load(saved(tmp_path / "m.onnx", inputs=values))
    got = {t.name: (t.dtype, t.shape) for t in tensors(model)[0]}
    assert got["a"] == ("bfloat16", ("...",))
    assert got["b"] == ("str", ())
    assert got["c"] == ("bool", ("c.0", "n"))
    assert got["d"] == ("sequence_type", ("...",))
    assert opset(model) == 18


def test_missing_file(tmp_path):
    text = failure(tmp_path)
    assert "m.onnx: no such file, expected an ONNX model" in text
    assert "relative to the study file" in text


def test_folder(tmp_path):
    (tmp_path / "m.onnx").mkdir()
    assert "expected an ONNX file, got a folder" in failure(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello there", b"PK\x03\x04zip", b"\x00" * 64])
def test_not_an_onnx_file(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    text = failure(tmp_path)
    assert "m.onnx: expected an ONNX model, got something else" in text
    assert "torch.onnx.export" in text


def test_truncated(tmp_path):
    path = saved(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:60])
    assert "cut short or damaged" in failure(tmp_path)


def test_zero_inputs(tmp_path):
    value = onnx.numpy_helper.from_array(np.ones(3, np.float32))
    saved(tmp_path / "m.onnx", [helper.make_node("Constant", [], ["y"], value=value)], [])
    assert "at least one input, got none" in failure(tmp_path)


def test_invalid_graph(tmp_path):
    saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["nowhere"], ["y"])])
    text = failure(tmp_path)
    assert "expected a valid ONNX model, the checker says: ValidationError" in text


def test_a_folder_that_can_not_be_written(tmp_path):
    path = saved(tmp_path / "m.onnx")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="can't write an artifact"):
        keep(path, tmp_path / "file" / "artifacts")


def test_a_damaged_copy_is_replaced(tmp_path):
    path = saved(tmp_path / "m.onnx")
    kept = keep(path, tmp_path / "out")
    kept.write_bytes(b"short")
    assert keep(path, tmp_path / "out").read_bytes() == path.read_bytes()
    assert [p.name for p in (tmp_path / "out").iterdir()] == [kept.name]


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_of_zero_or_less_is_open(tmp_path, size):
    saved(
        tmp_path / "m.onnx",
        inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, 3])],
    )
    got = loaded(tmp_path)
    assert got.inputs[0].shape == ("x.0", 3)
    kept = load(tmp_path / "results" / got.path)
    assert not kept.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value")
    import onnxruntime

    session = onnxruntime.InferenceSession(
        kept.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert session.run(None, {"x": np.ones((4, 3), np.float32)})[0].shape == (4, 3)


@pytest.mark.parametrize(
    ("weights", "quantized", "expected"),
    [
        (["float32"], False, "float32"),
        ([], False, "float32"),
        (["float16"], False, "float16"),
        (["float64", "float16"], False, "float16-float64"),
        (["int8"], True, "int8"),
        (["int8", "float32"], True, "float32-int8"),
    ],
)
def test_the_types_of_weights_are_recorded(tmp_path, weights, quantized, expected):
    tensors = [
        onnx.numpy_helper.from_array(np.ones((3, 3), kind), f"w{number}")
        for number, kind in enumerate(weights)
    ]
    # Scales and biases are vectors of float32 beside any weights.
    tensors.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "scale"))
    nodes = [helper.make_node("Mul", ["x", "scale"], ["y"])]
    if quantized:
        nodes.append(helper.make_node("DequantizeLinear", ["w0", "scale"], ["w"], axis=1))
    saved(tmp_path / "m.onnx", nodes, weights=tensors)
    assert loaded(tmp_path).made_by["computes"] == expected
