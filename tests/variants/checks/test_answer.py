"""A variant counts as made when it answers a query like its source, but not bit for bit."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.progress import Silent
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.sources import load_baseline
from profiler.variants import build_all
from profiler.wire.codec import decode

QUERY = {"x": np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)}


def saved(path, nodes, weights, kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, ["n", 16])],
        [helper.make_tensor_value_info("y", kind, ["n", "m"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path
    )


def weights(*shape, kind=np.float32):
    return np.random.default_rng(1).normal(size=shape).astype(kind)


def product(kind=np.float32):
    return [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weights(16, 4, kind=kind)}


@pytest.fixture
def outcome(tmp_path):
    """Why a variant of tmp_path/m.onnx is not made; None when it is."""

    def make(spec, query=QUERY):
        root = tmp_path / "results"
        base = load_baseline(
            ModelSpec(name="m", onnx="m.onnx"), folder=tmp_path, out=root / "artifacts"
        )
        chosen = decode(VariantSpec, spec)
        made, failed = build_all(
            base, [chosen], Silent(), root=root, folder=tmp_path, calibration={"x": QUERY["x"]},
            query=query, seed=0, cache=tmp_path / "cache",
        )  # fmt: skip
        assert set(made) ^ set(failed) == {("m", chosen.name)}
        return failed.get(("m", chosen.name))

    return make


def test_a_variant_that_answers_is_made(tmp_path, outcome):
    saved(tmp_path / "m.onnx", *product())
    for recipe in ("fp16", "int8-dynamic", "int8-static", "int4"):
        assert outcome(recipe) is None


def test_a_file_that_opens_but_does_not_answer(tmp_path, outcome):
    saved(tmp_path / "m.onnx", *product())
    nodes = [helper.make_node("Reshape", ["x", "to"], ["y"])]
    saved(tmp_path / "mine.onnx", nodes, {"to": np.array([5, -1])})
    mine = {"name": "mine", "file": "mine.onnx"}
    assert "does not answer a query with it: node (Reshape)" in outcome(mine)
    # Bit for bit, but the user's own.
    saved(tmp_path / "mine.onnx", *product())
    assert outcome(mine) is None


def test_a_file_that_answers_otherwise(tmp_path, outcome):
    saved(tmp_path / "m.onnx", *product())
    mine = {"name": "mine", "file": "mine.onnx"}
    saved(tmp_path / "mine.onnx", product()[0], {"w": weights(16, 5)})
    assert "another shape than those of its source: 2×5 instead of 2×4" in outcome(mine)
    nodes = [*product()[0], helper.make_node("Log", ["z"], ["y"])]
    nodes[0].output[0] = "z"
    saved(tmp_path / "mine.onnx", nodes, product()[1])
    assert "NaN or infinity where its source gives numbers" in outcome(mine)


def test_a_variant_that_computes_as_before_is_none(tmp_path, outcome):
    saved(tmp_path / "m.onnx", [helper.make_node("Abs", ["x"], ["y"])], {})
    # Numbers that float16 holds.
    whole = {"x": np.arange(32, dtype=np.float32).reshape(2, 16)}
    assert "bit for bit those of its source" in outcome("fp16", whole)


@pytest.mark.parametrize(
    ("kind", "name", "spec", "text"),
    [
        (TensorProto.FLOAT16, "float16", "fp16", "weights are float16 already"),
        (TensorProto.DOUBLE, "float64", "fp16", "weights are float64 and not float32"),
        (TensorProto.FLOAT16, "float16", "int8-dynamic", "are float16, it takes float32 (export"),
        *(
            (TensorProto.DOUBLE, "float64", spec, "the weights of its products are float64, it")
            for spec in ("int8-dynamic", "int8-static", "int4", "int4:gptq")
        ),
    ],
)
def test_weights_of_another_type_are_told(tmp_path, outcome, kind, name, spec, text):
    saved(tmp_path / "m.onnx", *product(np.dtype(name)), kind)
    assert text in outcome(spec, {"x": QUERY["x"].astype(name)})


def test_casts_alone_are_no_variant(tmp_path, outcome):
    """An operator that has no 16 bits (of scikit-learn's) is left float by the converter."""
    scaled = helper.make_node(
        "Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.1], scale=[0.3]
    )
    saved(tmp_path / "m.onnx", [scaled], {})
    model = onnx.load(tmp_path / "m.onnx")
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    onnx.save(model, tmp_path / "m.onnx")
    assert outcome("fp16").startswith("fp16: nothing to convert")


def test_what_the_runtime_has_no_kernel_for_is_told_in_plain_words(tmp_path, outcome):
    nodes, held = product()
    saved(tmp_path / "m.onnx", nodes, held)
    assert outcome("bf16") == (
        "bf16: ONNX Runtime does not take the bf16 model: its CPU provider has no MatMul for such"
        " numbers (try fp16)"
    )
    quantized = helper.make_node("DequantizeLinear", ["q", "scale"], ["v"], name="back")
    nodes[0].output[0] = "h"
    nodes += [quantized, helper.make_node("Add", ["h", "v"], ["y"])]
    held |= {"q": np.ones(4, np.int8), "scale": np.array(0.1, np.float32)}
    saved(tmp_path / "m.onnx", nodes, held)
    model = onnx.load(tmp_path / "m.onnx")
    model.opset_import[0].version = 17
    model.ir_version = 9
    onnx.save(model, tmp_path / "m.onnx")
    assert outcome("fp16").endswith(
        "the operator DequantizeLinear takes no float16 (the model is quantized already: make it"
        ' of the float32 model, or keep the node float: keep_float = ["back"])'
    )


def test_what_is_quantized_already_is_told(tmp_path, outcome):
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    held = {"q": np.ones((16, 4), np.int8), "scale": np.array(0.1, np.float32)}
    saved(tmp_path / "m.onnx", nodes, held)
    for recipe in ("int8-dynamic", "int8-static", "int4"):
        assert "the model is quantized already (DequantizeLinear)" in outcome(recipe)
    # What is left of a model that is quantized in part still is.
    nodes.append(helper.make_node("MatMul", ["h", "v"], ["y"]))
    nodes[1].output[0] = "h"
    saved(tmp_path / "m.onnx", nodes, {**held, "v": weights(4, 4)})
    assert outcome("int8-dynamic") is None
