"""Every attribute of every operator that the quantizers touch keeps its meaning in 8 bits."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.registry import IntegerOpsRegistry, QDQRegistry, QLinearOpsRegistry

from profiler.errors import VariantError
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.sources import load_baseline
from profiler.variants import build
from profiler.wire.codec import decode

OPSET, ROWS, LEAST_DB = 21, 64, 25.0
IMAGE, ROW = (8, 4, 9, 9), (8, 4, 6)
DRAWN = np.random.default_rng(0)
CUBIC = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"}


def w(*shape):
    return DRAWN.normal(size=shape).astype(np.float32)


def i(*values):
    return np.array(values, np.int64)


SCALES = np.array([1, 1, 2, 2], np.float32)
LSTM = [w(1, 20, 6) / 3, w(1, 20, 5) / 3]
TWO_WAYS = [w(2, 20, 6) / 3, w(2, 20, 5) / 3]
K3, GROUPED, TURNED = w(6, 4, 3, 3), w(6, 2, 3, 3), w(4, 3, 3, 3)
POOL = {"kernel_shape": [3, 3]}
NONE = np.zeros(0, np.float32)

# operator, attributes that are not the default, shape of its input, its further inputs
CASES = [
    ("ArgMax", {"axis": 2, "keepdims": 0, "select_last_index": 1}, ROW, []),
    ("AveragePool", {**POOL, "pads": [1, 1, 1, 1], "count_include_pad": 1}, IMAGE, []),
    ("AveragePool", {**POOL, "strides": [2, 2], "ceil_mode": 1, "dilations": [2, 2]}, IMAGE, []),
    ("AveragePool", {**POOL, "auto_pad": "SAME_LOWER", "strides": [2, 2]}, IMAGE, []),
    ("BatchNormalization", {"epsilon": 0.5, "momentum": 0.1, "training_mode": 0}, IMAGE,
     [w(4), w(4), w(4), abs(w(4))]),
    ("Concat", {"axis": 2}, ROW, [w(8, 4, 3)]),
    ("Conv", {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}, IMAGE, [K3, w(6)]),
    ("Conv", {"group": 2, "auto_pad": "SAME_UPPER", "kernel_shape": [3, 3]}, IMAGE, [GROUPED]),
    ("ConvTranspose", {"pads": [1, 0, 1, 0], "strides": [2, 2], "output_padding": [1, 0],
                       "dilations": [1, 2], "kernel_shape": [3, 3]}, IMAGE, [TURNED, w(3)]),
    ("ConvTranspose", {"output_shape": [18, 18], "strides": [2, 2]}, IMAGE, [TURNED]),
    ("ConvTranspose", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, IMAGE, [TURNED]),
    ("ConvTranspose", {"group": 2, "strides": [2, 2]}, IMAGE, [TURNED, w(6)]),
    ("CumSum", {"reverse": 1, "exclusive": 1}, ROW, [i(2)[0]]),
    ("Flatten", {"axis": 2}, ROW, []),
    ("Gather", {"axis": 1}, ROW, [i(2, 0, 2)]),
    ("GatherElements", {"axis": 1}, ROW, [DRAWN.integers(0, 4, (8, 3, 6))]),
    ("Gemm", {"alpha": 0.25, "beta": 3.0, "transA": 1, "transB": 1}, (6, 8), [w(5, 6), w(5)]),
    ("Gemm", {"alpha": 4.0, "beta": 0.25}, (8, 6), [w(6, 5), w(5)]),
    ("Gemm", {"alpha": -0.5, "beta": 0.0}, (8, 6), [w(6, 5), w(5)]),
    ("InstanceNormalization", {"epsilon": 0.5}, IMAGE, [w(4), w(4)]),
    ("LSTM", {"hidden_size": 5, "direction": "reverse", "clip": 0.5, "input_forget": 1}, ROW, LSTM),
    ("LSTM", {"hidden_size": 5, "direction": "bidirectional"}, ROW, TWO_WAYS),
    ("LSTM", {"hidden_size": 5, "activations": ["HardSigmoid", "Tanh", "LeakyRelu"],
              "activation_alpha": [0.3, 0.1], "activation_beta": [0.4]}, ROW, LSTM),
    ("LayerNormalization", {"axis": 1, "epsilon": 0.5, "stash_type": 1}, ROW, [w(4, 6), w(4, 6)]),
    ("LeakyRelu", {"alpha": 0.4}, ROW, []),
    ("MatMul", {}, ROW, [w(8, 6, 5)]),
    ("MatMul", {}, ROW, [w(6)]),
    ("MatMul", {}, ROW, [w(6, 5)]),
    ("MaxPool", {**POOL, "pads": [1, 1, 1, 1], "dilations": [2, 2], "storage_order": 1}, IMAGE, []),
    ("MaxPool", {**POOL, "strides": [2, 2], "ceil_mode": 1}, IMAGE, []),
    ("MaxPool", {**POOL, "strides": [2, 2], "auto_pad": "SAME_UPPER"}, IMAGE, []),
    ("Pad", {"mode": "reflect"}, ROW, [i(0, 1, 2, 0, 1, 0)]),
    ("Pad", {"mode": "constant"}, ROW, [i(0, 1, 2, 0, 1, 0), np.float32(-40)]),
    ("Reshape", {"allowzero": 1}, ROW, [i(4, 8, 6)]),
    ("Resize", {**CUBIC, "cubic_coeff_a": -0.5, "exclude_outside": 1}, IMAGE, [NONE, SCALES]),
    ("Resize", {"mode": "nearest", "nearest_mode": "ceil", "axes": [2, 3]}, IMAGE,
     [NONE, SCALES[2:]]),
    ("Resize", {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize",
                "extrapolation_value": 30.0}, IMAGE,
     [np.array([0, 0, -0.2, -0.2, 1, 1, 1.2, 1.2], np.float32), SCALES]),
    ("Resize", {"mode": "linear", "antialias": 1, "axes": [2, 3],
                "keep_aspect_ratio_policy": "not_larger"}, IMAGE, [NONE, NONE, i(6, 5)]),
    ("Softmax", {"axis": 1}, ROW, []),
    ("Split", {"axis": 2, "num_outputs": 2}, ROW, []),
    ("TopK", {"axis": 1, "largest": 0, "sorted": 1}, ROW, [i(2)]),
    ("Transpose", {"perm": [2, 0, 1]}, ROW, []),
]  # fmt: skip
NO_SCHEMA = {"Attention", "EmbedLayerNormalization"}
"""ONNX Runtime's own operators, which only its fusing makes"""
REFUSED = {"LSTM": {"layout"}}
"""what its float operators refuse, too"""
RECIPES = (
    "int8-static:all", "int8-static:u8u8-tensor-all", "int8-dynamic", "int8-dynamic:u8-tensor",
)  # fmt: skip


def case_name(case):
    return f"{case[0]}-{'-'.join(case[1])}"


def test_every_attribute_has_its_case():
    tried = {}
    for operator, attributes, _, _ in CASES:
        tried.setdefault(operator, set()).update(attributes)
    for operator in {*IntegerOpsRegistry, *QDQRegistry, *QLinearOpsRegistry} - NO_SCHEMA:
        known = onnx.defs.get_schema(operator, max_inclusive_version=OPSET).attributes
        untried = set(known) - tried.get(operator, set())
        assert untried == REFUSED.get(operator, set()), operator


def saved(path, operator, attributes, shape, more):
    """x + 1, the operator, times 1: what is quantized on both sides of it, too."""
    weights = {"one": np.float32(1)} | {f"w{n}": value for n, value in enumerate(more)}
    given = [name if np.size(weights[name]) else "" for name in list(weights)[1:]]
    operands = ["h", *given]
    nodes = [
        helper.make_node("Add", ["x", "one"], ["h"]),
        helper.make_node(
            operator, operands, ["o", "o2"] if operator in ("Split", "TopK") else ["o"],
            name="it", **attributes,
        ),
    ]  # fmt: skip
    last = helper.make_node("Mul", ["o", "one"], ["y"])
    nodes.append(
        helper.make_node("Cast", ["o"], ["y"], to=TensorProto.FLOAT)
        if operator == "ArgMax"
        else last
    )
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in weights.items()
            if np.size(value)
        ],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def answers(path, rows, size):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Products of pairs must not saturate, whatever the processor.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    queries = rows.reshape(-1, size, *rows.shape[1:])
    return np.stack([session.run(None, {"x": query})[0] for query in queries]).astype(float)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_an_attribute_means_the_same_in_8_bits(tmp_path, case):
    shape = case[2]
    saved(tmp_path / "m.onnx", *case)
    root = tmp_path / "results"
    base = load_baseline(
        ModelSpec(name="m", onnx="m.onnx"), folder=tmp_path, out=root / "artifacts"
    )
    rows = DRAWN.integers(-8, 8, (ROWS // shape[0] * shape[0], *shape[1:])).astype(np.float32)
    exact = answers(root / base.path, rows, shape[0])
    for recipe in RECIPES:
        spec = decode(VariantSpec, recipe)
        try:
            made = build(base, spec, root=root, folder=tmp_path, calibration={"x": rows})
        except VariantError as error:
            assert "nothing to quantize" in error.message, recipe
            continue
        ours = answers(root / made.path, rows, shape[0])
        assert ours.shape == exact.shape, recipe
        noise = ((exact - ours) ** 2).sum()
        assert noise * 10 ** (LEAST_DB / 10) <= (exact**2).sum(), (recipe, noise)
