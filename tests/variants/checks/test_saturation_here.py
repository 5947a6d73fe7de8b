"""Sums are cut off on this processor exactly where the weights say, if it cuts any off at all."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.variants.checks.saturation import saturable
from profiler.worker.instruments.software import saturates

DEPTH, WIDTH, ROWS, LARGE, SMALL = 8, 8, 4, 127, 60
QDQ = {"one": np.float32(1), "zero": np.uint8(0), "v": np.int8(0)}


def node(operator, inputs, outputs, **more):
    return helper.make_node(operator, inputs, outputs, **more)


def answers(nodes, shape, fixed, kind=TensorProto.FLOAT):
    """(whether products of a model can saturate, its answer to inputs of 255)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in fixed.items()],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = np.full(shape, 255, helper.tensor_dtype_to_np_dtype(kind))
    return bool(saturable(model, None)), session.run(None, {"x": given})[0]


def quantized(between, product):
    """MatMul of 8-bit activations `a` and weights `b`, with nodes between."""
    return [
        node("QuantizeLinear", ["x", "one", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "one", "zero"], ["a"]),
        node("DequantizeLinear", ["w", "one", "v"], ["b"]),
        *between,
        node("MatMul", product, ["y"]),
    ]


def of_weights(operator, shape, numbers=(), **more):
    inputs = ["b", "numbers"] if numbers else ["b"]
    return [node(operator, inputs, ["right"], **more)], shape, None, numbers


def of_activations(operator, shape, numbers=(), **more):
    inputs = ["a", "numbers"] if numbers else ["a"]
    return [node(operator, inputs, ["left"], **more)], None, shape, numbers


BETWEEN = {
    "nothing": ([], None, None, ()),
    "weights turned": of_weights("Transpose", (WIDTH, DEPTH), perm=[1, 0]),
    "weights turned, no perm": of_weights("Transpose", (WIDTH, DEPTH)),
    "weights handed on": of_weights("Identity", (DEPTH, WIDTH)),
    "weights reshaped": of_weights("Reshape", (DEPTH * WIDTH,), (DEPTH, WIDTH)),
    "weights squeezed": of_weights("Squeeze", (1, DEPTH, WIDTH), (0,)),
    "weights rectified": of_weights("Relu", (DEPTH, WIDTH)),
    "activations turned": of_activations("Transpose", (DEPTH, ROWS), perm=[1, 0]),
    "activations reshaped": of_activations("Reshape", (ROWS * DEPTH,), (ROWS, DEPTH)),
    "activations squeezed": of_activations("Squeeze", (1, ROWS, DEPTH), (0,)),
    "activations unsqueezed": of_activations("Unsqueeze", (ROWS, DEPTH), (0,)),
    "activations flattened": of_activations("Flatten", (ROWS, 2, DEPTH // 2)),
    "activations pooled": of_activations("MaxPool", (1, ROWS, DEPTH), kernel_shape=[1]),
    "activations rectified": of_activations("Relu", (ROWS, DEPTH)),
    "activations joined": ([node("Concat", ["a", "a"], ["left"], axis=0)], None, None, ()),
}


@pytest.mark.parametrize("weight", [LARGE, SMALL])
@pytest.mark.parametrize("between", BETWEEN)
def test_what_stands_before_a_product(between, weight):
    nodes, weights, activations, numbers = BETWEEN[between]
    made = {name for one in nodes for name in one.output}
    product = ["left" if "left" in made else "a", "right" if "right" in made else "b"]
    fixed = {
        "w": np.full(weights or (DEPTH, WIDTH), weight, np.int8),
        "numbers": np.array(numbers, np.int64),
        **QDQ,
    }
    found, got = answers(quantized(nodes, product), activations or (ROWS, DEPTH), fixed)
    assert (got != 255 * weight * DEPTH).any() == (found and saturates())
    assert not found or weight == LARGE


def test_pairs_are_those_of_the_turned_weights():
    weights = np.zeros((WIDTH, DEPTH), np.int8)
    weights[:, [1, 2]] = LARGE  # neighbours, but of two pairs
    nodes = quantized([node("Transpose", ["b"], ["right"])], ["a", "right"])
    found, got = answers(nodes, (ROWS, DEPTH), {"w": weights, **QDQ})
    assert not found
    assert (got == 255 * 2 * LARGE).all()


@pytest.mark.parametrize("numbers", [(LARGE, 1), (1, LARGE), (SMALL, SMALL)])
def test_recurrent_weights(numbers):
    """Those of inputs and of states; the same numbers as u8 are exact everywhere."""
    inputs = ["x", "w", "r", "", "", "", "", "", "ws", "v", "rs", "v"]
    lstm = [node("DynamicQuantizeLSTM", inputs, ["y"], domain="com.microsoft", hidden_size=4)]

    def asked(kind):
        w, r = (np.full((1, 4, 16), number, kind) for number in numbers)
        scales = {"ws": np.full(1, 1e-5, np.float32), "rs": np.full(1, 1e-3, np.float32)}
        return answers(lstm, (3, 2, 4), {"w": w, "r": r, "v": np.zeros(1, kind), **scales})

    (found, got), (unsigned, exact) = asked(np.int8), asked(np.uint8)
    assert (found, unsigned) == (LARGE in numbers, False)
    assert (got != exact).any() == (found and saturates())


@pytest.mark.parametrize("weight", [LARGE, SMALL])
def test_attention_weights(weight):
    inputs = ["x", "w", "bias", "scale", "scale", "", "zero", "v"]
    attention = [node("QAttention", inputs, ["y"], domain="com.microsoft", num_heads=2)]

    def asked(kind):
        fixed = {
            "w": np.full((DEPTH, 3 * DEPTH), weight, kind), "v": kind(0), "zero": np.uint8(0),
            "scale": np.float32(0.01), "bias": np.zeros(3 * DEPTH, np.float32),
        }  # fmt: skip
        return answers(attention, (1, 2, DEPTH), fixed, TensorProto.UINT8)

    (found, got), (unsigned, exact) = asked(np.int8), asked(np.uint8)
    assert (found, unsigned) == (weight == LARGE, False)
    assert (got != exact).any() == (found and saturates())
