"""GPTQ makes up for errors of rounding where the calibration rows say how."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.errors import VariantError
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.sources import load_baseline
from profiler.variants import build
from profiler.variants.recipes import gptq
from profiler.wire.codec import decode

ROWS = 96


@pytest.fixture
def source(tmp_path):
    """source(depth) -> (baseline of two products, the last ones sharing weights, its rows)."""

    def make(depth=48, shared=False):
        generator = np.random.default_rng(0)
        nodes = [
            helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "b"], ["s"], name="second"),
            helper.make_node("MatMul", ["s", "b" if shared else "c"], ["y"], name="third"),
        ]
        sizes = {"a": (depth, 32), "b": (32, 32)} | ({} if shared else {"c": (32, 8)})
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", depth])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", None])],
            [
                numpy_helper.from_array(generator.normal(size=size).astype(np.float32), name)
                for name, size in sizes.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.save(model, tmp_path / "m.onnx")
        made = load_baseline(
            ModelSpec(name="m", onnx="m.onnx"), folder=tmp_path,
            out=tmp_path / "results" / "artifacts",
        )  # fmt: skip
        # Columns that go together, as those of real data do.
        mixed = generator.normal(size=(ROWS, depth)) @ generator.normal(size=(depth, depth))
        return made, {"x": mixed.astype(np.float32)}

    return make


def made(tmp_path, baseline, rows, spec):
    return build(
        baseline, decode(VariantSpec, spec), root=tmp_path / "results", folder=tmp_path,
        calibration=rows,
    )  # fmt: skip


def noise(tmp_path, baseline, rows, spec):
    """Share of the outputs' power that a variant's error has."""
    exact, ours = (
        ort.InferenceSession(tmp_path / "results" / artifact.path).run(None, rows)[0]
        for artifact in (baseline, made(tmp_path, baseline, rows, spec))
    )
    return float(np.square(ours - exact).sum() / np.square(exact).sum())


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("depth", [32, 48, 64, 200])
def test_errors_are_made_up_for(tmp_path, source, depth, shared):
    """Also over an odd number of blocks, a part of one, and more than are handed on together."""
    baseline, rows = source(depth, shared)
    plain = noise(tmp_path, baseline, rows, "int4:rtn-16")
    assert noise(tmp_path, baseline, rows, "int4:gptq-16") < 0.85 * plain


def test_the_scales_are_those_of_plain_rounding_and_codes_are_not(tmp_path, source):
    baseline, rows = source()

    def tensors(spec):
        model = onnx.load(tmp_path / "results" / made(tmp_path, baseline, rows, spec).path)
        return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    plain, ours = tensors("int4"), tensors("int4:gptq")
    assert plain.keys() == ours.keys()
    same = {name for name in plain if np.array_equal(plain[name], ours[name])}
    assert {name for name in plain if name not in same} == {"a_Q4", "b_Q4", "c_Q4"}


def test_hessians_that_do_not_fit_at_once_give_the_same(tmp_path, source, monkeypatch):
    baseline, rows = source()
    at_once = made(tmp_path, baseline, rows, "int4:gptq").sha
    monkeypatch.setattr(gptq, "_BYTES", 1)
    assert made(tmp_path, baseline, rows, "int4:gptq").sha == at_once


def test_named_products_stay_float(tmp_path, source):
    baseline, rows = source()
    spec = {"name": "mixed", "recipe": "int4", "algorithm": "gptq", "keep_float": ["second"]}
    model = onnx.load(tmp_path / "results" / made(tmp_path, baseline, rows, spec).path)
    kinds = [node.op_type for node in model.graph.node]
    assert (kinds.count("MatMul"), kinds.count("MatMulNBits")) == (1, 2)


def test_rows_that_leave_the_numbers_are_told(tmp_path, source):
    baseline, rows = source()
    rows["x"][0] = 1e38
    with pytest.raises(VariantError, match='NaN or infinity in "r"'):
        made(tmp_path, baseline, rows, "int4:gptq")


def test_an_input_that_is_always_zero_changes_nothing(tmp_path, source):
    baseline, rows = source()
    rows["x"][:, 3] = 0
    assert noise(tmp_path, baseline, rows, "int4:gptq") < noise(tmp_path, baseline, rows, "int4")
