"""What quantizers stumble over is written another way first, and computes the same."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.errors import VariantError
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.sources import load_baseline
from profiler.variants import build
from profiler.variants import graph as prepare
from profiler.variants.making.plain import plain
from profiler.variants.scope import all_nodes, scopes
from profiler.wire.codec import decode

FLOAT, ROWS = TensorProto.FLOAT, 256


def w(name, *shape, seed=0):
    value = np.random.default_rng([seed, *name.encode()]).normal(size=shape)
    return numpy_helper.from_array(value.astype(np.float32), name)


def saved(path, nodes, weights, outputs=("y",), inputs=(), ir=9, opset=17, **more):
    graph = helper.make_graph(
        nodes,
        "g",
        [*inputs, helper.make_tensor_value_info("x", FLOAT, ["n", 16])],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        weights,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("pkg", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir, **more)
    inferred = onnx.shape_inference.infer_shapes(model)
    for value in inferred.graph.output:
        value.type.tensor_type.shape.SetInParent()
    onnx.save(inferred, path)
    return path


def answers(path, rows):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Products of pairs must not saturate, whatever the processor.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": rows})


def rows(seed=1):
    return np.random.default_rng(seed).normal(size=(ROWS, 16)).astype(np.float32)


def decibels(exact, ours):
    assert exact.shape == ours.shape
    if np.array_equal(exact, ours):
        return np.inf
    return 10 * np.log10((exact**2).sum() / ((exact - ours) ** 2).sum())


@pytest.fixture
def variant(tmp_path):
    """(artifact, path, SQNR of each output in dB) of a recipe for tmp_path/m.onnx."""

    def make(recipe):
        root = tmp_path / "results"
        base = load_baseline(
            ModelSpec(name="m", onnx="m.onnx"), folder=tmp_path, out=root / "artifacts"
        )
        spec = decode(VariantSpec, recipe)
        made = build(base, spec, root=root, folder=tmp_path, calibration={"x": rows()})
        pairs = zip(
            answers(root / base.path, rows()), answers(root / made.path, rows()), strict=True
        )
        return made, root / made.path, [decibels(a, b) for a, b in pairs]

    return make


GEMMS = [
    helper.make_node("Gemm", ["x", "W", "b"], ["a"], alpha=0.5, beta=2.0, name="first"),
    helper.make_node("Relu", ["a"], ["r"]),
    helper.make_node("Gemm", ["r", "V"], ["y"], transB=1, name="second"),
]


def test_a_bias_that_gemm_scales_is_quantized_by_its_own_scale(tmp_path, variant):
    bias = numpy_helper.from_array(5 * numpy_helper.to_array(w("b", 24)), "b")
    saved(tmp_path / "m.onnx", GEMMS, [w("W", 16, 24), bias, w("V", 6, 24)])
    for recipe in ("int8-static", "int8-static:s8s8-tensor", "int8-dynamic"):
        assert variant(recipe)[2][0] > 30, recipe


def test_weights_that_two_gemms_share_are_scaled_for_one(tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["a"], alpha=0.5, beta=2.0),
        helper.make_node("Gemm", ["a", "W", "b"], ["h"], beta=0.0),
        helper.make_node("Gemm", ["W", "h", "b"], ["y"], alpha=3.0, transB=1),
    ]
    path = saved(tmp_path / "m.onnx", nodes, [w("W", 16, 16), w("b", 1)])
    exact = answers(path, rows())[0]
    ours, _ = plain(path, tmp_path)
    assert not [a for n in onnx.load(ours).graph.node for a in n.attribute if a.name != "transB"]
    assert decibels(exact, answers(ours, rows())[0]) > 100


def test_a_plain_model_stays_the_file_it_is(tmp_path):
    nodes = [helper.make_node("Gemm", ["x", "W"], ["y"], alpha=1.0, transB=1)]
    path = saved(tmp_path / "m.onnx", nodes, [w("W", 6, 16)])
    assert plain(path, tmp_path)[0] == path


@pytest.mark.parametrize("reader", ["output", "branch"])
def test_what_also_feeds_relu_keeps_its_negative_half(tmp_path, variant, reader):
    """ONNX Runtime calibrates what it thinks only Relu reads by Relu's range."""
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["z"], name="product"),
        helper.make_node("Relu", ["z"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "V"], ["y"]),
    ]
    weights, outputs = [w("W", 16, 24), w("V", 24, 6)], ["z", "y"]
    if reader == "branch":
        out = [helper.make_tensor_value_info("o", FLOAT, None)]
        branch = [
            helper.make_graph([helper.make_node(kind, ["z"], ["o"])], kind, [], out)
            for kind in ("Identity", "Neg")
        ]
        nodes.append(
            helper.make_node("If", ["yes"], ["i"], then_branch=branch[0], else_branch=branch[1])
        )
        weights.append(numpy_helper.from_array(np.array(True), "yes"))
        outputs = ["i", "y"]
    saved(tmp_path / "m.onnx", nodes, weights, outputs)
    assert min(variant("int8-static")[2]) > 30


def test_functions_sparse_and_constant_weights_are_plain_weights(tmp_path):
    function = helper.make_function(
        "pkg", "Linear", ["X", "F"], ["Y"],
        [helper.make_node("MatMul", ["X", "F"], ["Y"], name="inside")],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    values = numpy_helper.from_array(np.array([1, 2], np.float32), "S")
    places = numpy_helper.from_array(np.array([3, 70]), "places")
    model = onnx.load(
        saved(
            tmp_path / "m.onnx",
            [
                helper.make_node("Linear", ["x", "W"], ["a"], domain="pkg", name="fc"),
                helper.make_node("Constant", [], ["C"], value=w("C", 16, 16)),
                helper.make_node("Constant", [], ["c"], value_float=0.5),
                helper.make_node("MatMul", ["a", "C"], ["h"]),
                helper.make_node("Mul", ["h", "c"], ["d"]),
                helper.make_node("MatMul", ["d", "S"], ["y"]),
            ],
            [w("W", 16, 16)],
            inputs=[helper.make_tensor_value_info("W", FLOAT, [16, 16])],
            functions=[function],
        )
    )
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [16, 6]))
    onnx.save(model, tmp_path / "m.onnx")
    ours = onnx.load(plain(tmp_path / "m.onnx", tmp_path)[0])
    assert [node.op_type for node in ours.graph.node] == ["MatMul", "MatMul", "Mul", "MatMul"]
    assert ours.graph.node[0].name.startswith("inside")
    assert {t.name for t in ours.graph.initializer} == {"W", "C", "c", "S"}
    assert [value.name for value in ours.graph.input] == ["x"]
    onnx.checker.check_model(ours)
    exact = answers(tmp_path / "m.onnx", rows())[0]
    assert np.array_equal(exact, answers(tmp_path / "plain.onnx", rows())[0])


RECIPES = ("int8-static", "int8-dynamic", "int4", "int4:gptq", "fp16")


@pytest.mark.parametrize("name", ["x", "W"])
def test_an_output_that_no_node_computes_stays_one(tmp_path, variant, name):
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node("MatMul", ["h", "V"], ["y"]),
    ]
    saved(tmp_path / "m.onnx", nodes, [w("W", 16, 16), w("V", 16, 6)], [name, "y"])
    for recipe in RECIPES:
        made, _, found = variant(recipe)
        assert [t.name for t in made.outputs] == [name, "y"], recipe
        assert found[0] == np.inf, recipe
        assert 10 < found[1] < 100, recipe


def test_gemm_reaches_four_bits_with_weights_that_two_of_them_share(tmp_path, variant):
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["h"], transB=1, name="first"),
        helper.make_node("Gemm", ["h", "W", "b"], ["g"], transB=1),
        helper.make_node("Gemm", ["g", "W"], ["y"], alpha=0.5, name="third"),
    ]
    saved(tmp_path / "m.onnx", nodes, [w("W", 16, 16), w("b", 16)])
    for recipe in ("int4", "int4:gptq", "int8-dynamic:u8"):
        _, path, found = variant(recipe)
        kinds = [node.op_type for node in onnx.load(path).graph.node]
        assert kinds.count("MatMulNBits" if "int4" in recipe else "MatMulInteger") == 3
        assert found[0] > (10 if "int4" in recipe else 30), recipe


def branches(kind):
    """A model whose only products are inside an If, a Loop or a Scan, with weights in and out."""
    out = [helper.make_tensor_value_info("o", FLOAT, None)]
    small = numpy_helper.from_array(numpy_helper.to_array(w("V", 16, 16)) / 16, "V")
    if kind == "If":
        then, other = (
            helper.make_graph([helper.make_node("MatMul", ["x", name], ["o"], name=f"in_{name}")],
                              name, [], out, inside)
            for name, inside in (("V", [small]), ("W", []))
        )  # fmt: skip
        nodes = [
            helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
            helper.make_node("Cast", ["most"], ["yes"], to=TensorProto.BOOL),
            helper.make_node("If", ["yes"], ["y"], then_branch=then, else_branch=other),
        ]
        return nodes, [w("W", 16, 16)]
    state = helper.make_tensor_value_info("i", FLOAT, None)
    inside = [
        helper.make_node("MatMul", ["i", "V"], ["t"], name="in_V"),
        helper.make_node("Tanh", ["t"], ["o"]),
    ]
    if kind == "Loop":
        inside.append(helper.make_node("Identity", ["go"], ["on"]))
        given = [helper.make_tensor_value_info("n", TensorProto.INT64, []),
                 helper.make_tensor_value_info("go", TensorProto.BOOL, []), state]  # fmt: skip
        out = [helper.make_tensor_value_info("on", TensorProto.BOOL, []), *out]
        body = helper.make_graph(inside, "body", given, out, [small])
        weights = [numpy_helper.from_array(np.array(v), n) for v, n in ((True, "yes"), (2, "two"))]
        return [helper.make_node("Loop", ["two", "yes", "x"], ["y"], body=body)], weights
    inside.append(helper.make_node("Add", ["o", "e"], ["s"]))
    given = [state, helper.make_tensor_value_info("e", FLOAT, None)]
    out = [*out, helper.make_tensor_value_info("s", FLOAT, None)]
    body = helper.make_graph(inside, "body", given, out, [small])
    scan = helper.make_node("Scan", ["W0", "x"], ["last", "y"], body=body, num_scan_inputs=1)
    return [scan], [w("W0", 1, 16)]


@pytest.mark.parametrize("kind", ["If", "Loop", "Scan"])
def test_products_inside_branches_and_loops_are_quantized(tmp_path, variant, kind):
    nodes, weights = branches(kind)
    saved(tmp_path / "m.onnx", nodes, weights)
    wanted = {"int8-dynamic:u8": "MatMulInteger", "int4": "MatMulNBits"}
    for recipe, operator in wanted.items():
        _, path, found = variant(recipe)
        kinds = [node.op_type for node in all_nodes(onnx.load(path).graph)]
        assert operator in kinds, recipe
        assert "MatMul" not in kinds, recipe
        assert found[0] > 10, recipe
    assert 40 < variant("fp16")[2][0] < 100
    with pytest.raises(VariantError, match="inside branches or loops"):
        variant("int8-static")
    node = helper.make_node("MatMul", ["y", "L"], ["z"], name="last")
    saved(tmp_path / "m.onnx", [*nodes, node], [*weights, w("L", 16, 16)], ["z"])
    made, _, found = variant("int8-static")
    assert "in_V" in made.made_by["kept_float"].split()
    assert found[0] > 25


@pytest.mark.parametrize("kind", ["If", "Loop", "Scan"])
def test_bfloat16_reaches_into_branches_and_loops(tmp_path, kind, monkeypatch):
    """Made, not run: the CPU provider has no such kernels."""
    monkeypatch.setattr(prepare, "runs", lambda *_: None)
    nodes, weights = branches(kind)
    saved(tmp_path / "m.onnx", nodes, weights)
    root = tmp_path / "results"
    spec = ModelSpec(name="m", onnx="m.onnx")
    base = load_baseline(spec, folder=tmp_path, out=root / "artifacts")
    made = build(base, decode(VariantSpec, "bf16"), root=root, folder=tmp_path)
    found = onnx.load(root / made.path)
    kinds = {t.data_type for s in scopes(found.graph) for t in s.graph.initializer}
    assert TensorProto.BFLOAT16 in kinds
    assert not kinds & {TensorProto.FLOAT16, TensorProto.FLOAT}
    values = [v for s in scopes(found.graph) for v in (*s.graph.input, *s.graph.output)]
    assert TensorProto.FLOAT16 not in {v.type.tensor_type.elem_type for v in values}
