"""Each recipe beyond plain int8: what comes out, and what is said when it can't be made."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from profiler.errors import VariantError
from profiler.schema.study.variant import VariantSpec
from profiler.variants import build
from profiler.wire.codec import decode


def made(tmp_path, artifact, spec, rows=None):
    chosen = decode(VariantSpec, spec)
    return build(artifact, chosen, root=tmp_path / "results", folder=tmp_path, calibration=rows)


def graph(tmp_path, artifact):
    return onnx.load(tmp_path / "results" / artifact.path).graph


def output(tmp_path, artifact, x):
    path = tmp_path / "results" / artifact.path
    return onnxruntime.InferenceSession(path).run(None, {"x": x})[0]


def types(tmp_path, artifact):
    return {t.data_type for t in graph(tmp_path, artifact).initializer}


def failure(*args):
    with pytest.raises(VariantError) as caught:
        made(*args)
    return f"{caught.value.message} | {caught.value.hint}"


def name_nodes(tmp_path, kind="dense"):
    path = tmp_path / f"{kind}.onnx"
    model = onnx.load(path)
    for i, node in enumerate(model.graph.node):
        node.name = f"layer.{i}"
    onnx.save(model, path)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_fp16_halves_the_weights_and_keeps_float_at_the_edges(tmp_path, baseline, rows, kind):
    artifact, data = baseline(kind), rows(kind)["x"]
    got = made(tmp_path, artifact, "fp16")
    assert types(tmp_path, got) == {TensorProto.FLOAT16}
    assert (got.inputs[0].dtype, got.outputs[0].dtype) == ("float32", "float32")
    error = np.abs(output(tmp_path, got, data) - output(tmp_path, artifact, data)).max()
    assert 0 < error < 0.05


def test_bf16_gives_the_reason_where_the_runtime_has_no_kernels(tmp_path, baseline):
    text = failure(tmp_path, baseline(), "bf16")
    assert "does not take the bf16 model" in text
    assert "MatMul" in text
    # Conv takes bfloat16 since opset 22 only: the opset is raised before giving up.
    assert "Conv" in failure(tmp_path, baseline("conv"), "bf16")


@pytest.mark.parametrize("spec", ["int4", "int4:rtn-16", "int4:gptq", "int4:gptq-16"])
def test_int4_replaces_matrix_products(tmp_path, baseline, rows, spec):
    artifact, data = baseline(), rows()
    got = made(tmp_path, artifact, spec, data)
    nodes = [n for n in graph(tmp_path, got).node if n.op_type == "MatMulNBits"]
    assert len(nodes) == 2
    size = {a.name: a.i for a in nodes[0].attribute}["block_size"]
    assert size == (16 if spec.endswith("16") else 32)
    expected = output(tmp_path, artifact, data["x"])
    error = np.abs(output(tmp_path, got, data["x"]) - expected).max()
    assert 0 < error < 0.5 * np.abs(expected).max()


def test_int4_hqq(tmp_path, baseline):
    pytest.importorskip("torch", reason="pip install 'hardware-profiler[torch]'")
    artifact = baseline()
    got = made(tmp_path, artifact, "int4:hqq")
    assert "MatMulNBits" in [n.op_type for n in graph(tmp_path, got).node]
    assert got.sha == made(tmp_path, artifact, "int4:hqq").sha


def test_gptq_asks_for_rows(tmp_path, baseline):
    assert "needs calibration rows, got none" in failure(tmp_path, baseline(), "int4:gptq")


@pytest.mark.parametrize(
    ("spec", "weight", "zero_point"),
    [
        ("int8-static:u8s8", TensorProto.INT8, TensorProto.UINT8),
        ("int8-static:s8s8", TensorProto.INT8, TensorProto.INT8),
        ("int8-static:u8u8", TensorProto.UINT8, TensorProto.UINT8),
    ],
)
def test_static_types(tmp_path, baseline, rows, spec, weight, zero_point):
    got = made(tmp_path, baseline(), spec, rows())
    inside = graph(tmp_path, got)
    kinds = {t.name: t.data_type for t in inside.initializer}
    assert kinds[next(n for n in kinds if n.startswith("a_quantized"))] == weight
    assert kinds["x_zero_point"] == zero_point


@pytest.mark.parametrize("recipe", ["int8-static:u8s8", "int8-dynamic:s8"])
def test_reduced_range_keeps_weights_to_seven_bits(tmp_path, baseline, rows, recipe):
    def largest(spec):
        inside = graph(tmp_path, made(tmp_path, baseline(), spec, rows()))
        return max(
            int(np.abs(onnx.numpy_helper.to_array(t).astype(int)).max())
            for t in inside.initializer
            if t.name.endswith("_quantized")
        )

    assert largest(recipe) > 64 >= largest(f"{recipe}-reduce")


@pytest.mark.parametrize("recipe", ["fp16", "int8-static", "int8-dynamic", "int4"])
def test_named_nodes_stay_float(tmp_path, baseline, rows, recipe):
    baseline()
    name_nodes(tmp_path)
    from profiler.schema.study.model import ModelSpec
    from profiler.sources import load_baseline

    artifact = load_baseline(
        ModelSpec(name="dense", onnx="dense.onnx"),
        folder=tmp_path,
        out=tmp_path / "results" / "artifacts",
    )
    spec = {"name": "mixed", "recipe": recipe, "keep_float": ["layer.2*"]}
    got = made(tmp_path, artifact, spec, rows())
    product = [n for n in graph(tmp_path, got).node if n.name == "layer.2"]
    assert [n.op_type for n in product] == ["MatMul"]
    assert got.sha != made(tmp_path, artifact, recipe, rows()).sha
    spec["keep_float"] = ["layer.9"]
    text = failure(tmp_path, artifact, spec, rows())
    assert 'no node called "layer.9"' in text
    assert "did you mean" in text


def test_a_ready_file_is_taken_as_it_is(tmp_path, baseline):
    artifact = baseline()
    half = made(tmp_path, artifact, "fp16")
    (tmp_path / "mine.onnx").write_bytes((tmp_path / "results" / half.path).read_bytes())
    got = made(tmp_path, artifact, {"name": "mine", "file": "mine.onnx"})
    assert got.sha == half.sha
    assert (got.variant, got.made_by["recipe"]) == ("mine", "file")


def test_a_ready_file_must_fit_the_model(tmp_path, baseline):
    artifact = baseline()
    baseline("conv")
    text = failure(tmp_path, artifact, {"name": "mine", "file": "conv.onnx"})
    assert 'input "x": expected float32' in text
    text = failure(tmp_path, artifact, {"name": "mine", "file": "none.onnx"})
    assert "no such file" in text
