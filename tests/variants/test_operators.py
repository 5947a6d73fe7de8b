"""What static 8 bits do to attention: plain ruins it, the protection keeps it, and says so."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.sources import load_baseline
from profiler.variants import build, operators
from profiler.variants.recipes import int8_static
from profiler.wire.codec import decode

TOKENS, WIDTH, INNER = 12, 32, 64
LOWEST = float(np.finfo(np.float32).min)


def transformer(outlier=1.0):
    """One layer: masked attention and two products; `outlier` scales one inner value."""
    generator = np.random.default_rng(3)
    weights, nodes = [], []

    def weight(name, value):
        weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(kind, inputs, output, **more):
        nodes.append(helper.make_node(kind, inputs, [output], name=f"n.{output}", **more))
        return output

    def product(x, name, rows, columns):
        value = generator.normal(size=(rows, columns)) / np.sqrt(rows)
        return node("MatMul", [x, weight(f"w.{name}", value)], name)

    mask = np.triu(np.full((TOKENS, TOKENS), LOWEST), 1)
    q, k, v = (product("x", name, WIDTH, WIDTH) for name in "qkv")
    logits = node("MatMul", [q, node("Transpose", [k], "kt", perm=[0, 2, 1])], "logits")
    chance = node("Softmax", [node("Add", [logits, weight("mask", mask)], "masked")], "chance")
    seen = node("Add", ["x", node("MatMul", [chance, v], "mixed")], "seen")
    inner = node("Relu", [product(seen, "up", WIDTH, INNER)], "relu")
    scale = np.ones((TOKENS, INNER))
    scale[0, 0] = outlier
    wide = node("Mul", [inner, weight("scale", scale)], "wide")
    # Its weights see little of the outlier, as in trained models.
    small = generator.normal(size=(INNER, WIDTH)) / np.sqrt(INNER)
    small[0] /= outlier
    node("MatMul", [wide, weight("w.down", small)], "y")
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", TOKENS, WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", TOKENS, WIDTH])],
        initializer=weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    return made


@pytest.fixture
def quantized(tmp_path):
    """(artifact, SQNR in dB on fresh rows) of a recipe for transformer(outlier)."""

    def make(recipe="int8-static", outlier=1.0):
        onnx.save(transformer(outlier), tmp_path / "layer.onnx")
        root = tmp_path / "results"
        base = load_baseline(
            ModelSpec(name="layer", onnx="layer.onnx"), folder=tmp_path, out=root / "artifacts"
        )
        rows = np.random.default_rng(1).normal(size=(24, TOKENS, WIDTH)).astype(np.float32)
        spec = decode(VariantSpec, recipe)
        got = build(base, spec, root=root, folder=tmp_path, calibration={"x": rows[:16]})
        exact, ours = (
            onnxruntime.InferenceSession(root / a.path).run(None, {"x": rows[16:]})[0]
            for a in (base, got)
        )
        return got, 10 * np.log10((exact**2).sum() / ((exact - ours) ** 2).sum())

    return make


def test_a_mask_ruins_the_plain_recipe_and_not_ours(quantized):
    plain, lost = quantized("int8-static:all")
    assert plain.made_by["quantized"] == "all"
    assert lost < 10
    ours, kept = quantized()
    assert ours.made_by["quantized"] == "linear"
    assert "kept_float" not in ours.made_by
    assert kept > 20


def test_a_product_that_8_bits_cannot_resolve_stays_float(quantized, monkeypatch):
    ours, kept = quantized(outlier=1000.0)
    assert ours.made_by["kept_float"] == "n.y"
    assert kept > 20
    monkeypatch.setattr(int8_static, "unresolved", lambda *_: [])
    assert quantized(outlier=1000.0)[1] < 15


def test_the_same_request_gives_the_same_file(quantized):
    assert quantized(outlier=1000.0)[0].sha == quantized(outlier=1000.0)[0].sha


def test_attention_is_told_from_other_products():
    model = transformer()
    assert operators.wants_linear(model)
    for node in [n for n in model.graph.node if n.output[0] in ("logits", "mixed")]:
        model.graph.node.remove(node)
    assert not operators.wants_linear(model)
    model.graph.node.add(op_type="LayerNormalization")
    assert operators.wants_linear(model)


def test_nodes_without_a_name_get_one_of_their_own():
    model = transformer()
    for node in model.graph.node[:3]:
        node.name = ""
    model.graph.node[5].name = "MatMul_0"
    assert len(operators.name_nodes(model)) == 3
    names = [node.name for node in model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    assert not operators.name_nodes(model)
