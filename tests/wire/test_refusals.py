"""What ONNX Runtime says against a model, in plain words."""

from profiler.wire.refusals import refusal
from profiler.worker.measuring.runner import failure

# As ONNX Runtime 1.31.1 says it.
IR = (
    "[ONNXRuntimeError] : 1 : FAIL : Load model from m.onnx failed:/onnxruntime_src/model.cc:256 "
    "onnxruntime::Model::Model(onnx::ModelProto&&) Unsupported model IR version: 15, max supported "
    "IR version: 13"
)
OPSET = (
    "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset "
    "versions. Opset 28 is under development and support for this is limited. The operator schemas "
    "may change. Current official support for domain ai.onnx is till opset 26."
)
CUSTOM = "failed:Fatal error: my.company:MyOp(-1) is not a registered function/op"


def test_numbers_and_the_way_out():
    ir, opset = refusal(IR), refusal(OPSET)
    assert ir.message == "its IR version is 15, this ONNX Runtime takes 13 at most"
    assert "model.ir_version = 13" in ir.hint
    assert "older onnx package" in ir.hint
    assert opset.message == "its opset is 28, this ONNX Runtime takes 26 at most"
    assert "again with opset 26, or install a newer onnxruntime" in opset.hint
    both = refusal(f"{IR} {OPSET}")
    assert "15" in both.message
    assert "28" in both.message
    assert both.hint == opset.hint


def test_operators_and_names():
    assert 'operator MyOp of the domain "my.company"' in refusal(CUSTOM).message
    assert (
        "knows no operator Foo" in refusal(CUSTOM.replace("my.company:MyOp", "ai.onnx:Foo")).message
    )
    twice = "This is an invalid model. Error: two nodes with same node name (op)."
    assert refusal(twice).message == 'several of its nodes are called "op"'
    assert refusal("out of memory") is None


def test_shared_weights_and_exact_sums():
    said = (
        "onnxruntime::NodeArg& onnxruntime::graph_utils::AddInitializerWithOrtValue(onnxruntime::"
        "Graph&, const onnx::TensorProto&, onnxruntime::Tensor&&) [ONNXRuntimeError] : 1 : FAIL : "
        "graph.cc:4142 AddInitializedOrtValue Attempt to replace the existing tensor"
    )
    found = refusal(said)
    assert "no two nodes may share 8-bit weights" in found.message
    assert "int8-dynamic:reduce" in found.hint


def test_a_device_says_it_in_the_same_words():
    detail = failure(RuntimeError(IR))["detail"]
    assert detail.startswith("its IR version is 15, this ONNX Runtime takes 13 at most (export")
    assert failure(RuntimeError("other"))["detail"] == "RuntimeError: other"
