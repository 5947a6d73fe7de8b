"""Which products can saturate, by their weights; tests/emulated/test_x86.py asks a processor."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from profiler.variants.checks.saturation import saturable

LARGE = np.int8(127)


def model(nodes, weights, inputs=(("x", TensorProto.UINT8),)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph)


def product(weights, kind=TensorProto.UINT8, operator="MatMulInteger", **attributes):
    node = helper.make_node(operator, ["x", "w"], ["y"], name="p", **attributes)
    return model([node], {"w": weights}, [("x", kind)])


def column(*values):
    return np.array(values, np.int8)[:, None]


@pytest.mark.parametrize(
    ("weights", "worst"),
    [
        (column(127, 127), 254),
        (column(-128, -128), 256),
        (column(64, 65), 129),
        (column(64, 64), None),
        (column(1, 127, 127, 1), None),
        (column(127, -127), None),
        (column(0, 0, 0, 0, 127, 2), 129),
        (column(127, 1, 127), None),
        (np.array([127, 127], np.int8), 254),
    ],
)
def test_neighbours_of_one_sign_add_up(weights, worst, tmp_path):
    found = saturable(product(weights), tmp_path)
    assert [node.worst_sum for node in found] == ([] if worst is None else [worst * 255])


def test_channels_are_counted(tmp_path):
    weights = np.zeros((4, 5), np.int8)
    weights[:2, 1:4] = LARGE
    (found,) = saturable(product(weights), tmp_path)
    assert (found.node, found.operator) == ("p", "MatMulInteger")
    assert (found.channels, found.of_channels) == (3, 5)


def test_signed_activations_and_unsigned_weights_are_exact(tmp_path):
    assert saturable(product(column(127, 127), TensorProto.INT8), tmp_path) == ()
    assert saturable(product(column(127, 127).astype(np.uint8)), tmp_path) == ()


@pytest.mark.parametrize(
    ("shape", "group", "places", "found"),
    [
        ((2, 4, 3, 3), 1, [(0, 0, 0), (1, 0, 0)], True),
        ((2, 4, 3, 3), 1, [(1, 0, 0), (2, 0, 0)], False),
        ((2, 4, 3, 3), 1, [(0, 0, 0), (0, 0, 1)], False),
        ((2, 3, 3, 3), 1, [(2, 0, 0), (0, 0, 1)], True),
        ((2, 1, 3, 3), 1, [(0, 0, 0), (0, 0, 1)], True),
        ((4, 1, 3, 3), 4, [(0, 0, 0), (0, 0, 1)], False),
        ((8, 1, 3, 3), 4, [(0, 0, 0), (0, 0, 1)], True),
    ],
)
def test_convolutions_add_channels_in_pairs(shape, group, places, found, tmp_path):
    weights = np.zeros(shape, np.int8)
    for place in places:
        weights[(slice(None), *place)] = LARGE
    node = helper.make_node(
        "QLinearConv", ["x", "s", "z", "w", "s", "", "s", "z"], ["y"], group=group
    )
    made = model([node], {"w": weights, "s": np.float32(1), "z": np.uint8(0)})
    assert bool(saturable(made, tmp_path)) == found


def qdq(kind=np.uint8, turned=0, weights=None):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["b"]),
        helper.make_node("Gemm", ["a", "b"], ["y"], name="p", transB=turned),
    ]
    weights = np.array([[127, 0], [127, 0]], np.int8) if weights is None else weights
    fixed = {"w": weights, "s": np.float32(1), "z": kind(0)}
    return model(nodes, fixed, [("x", TensorProto.FLOAT)])


def test_products_between_quantize_and_dequantize_are_found(tmp_path):
    (found,) = saturable(qdq(), tmp_path)
    assert (found.node, found.operator, found.channels) == ("p", "Gemm", 1)
    assert saturable(qdq(turned=1), tmp_path) == ()
    assert saturable(qdq(np.int8), tmp_path) == ()
    floats = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.ones((2, 2), "f4")})
    assert saturable(floats, tmp_path) == ()


@pytest.mark.parametrize(
    ("shared", "number", "expected"),
    [
        ((), 127, [False, False]),
        (("w",), 127, [True, True]),
        (("v",), 127, [True, True]),
        (("w",), 60, []),
    ],
)
def test_what_two_nodes_share_is_told(shared, number, expected, tmp_path):
    """ONNX Runtime then does not open the file with session.x64quantprecision."""
    weights, nodes = {"z": np.uint8(0)}, []
    for one in "12":
        names = {name: name if name in shared else name + one for name in "wv"}
        weights |= {names["w"]: column(number, number), names["v"]: np.int8(0)}
        product = ["x", names["w"], "z", names["v"]]
        nodes.append(helper.make_node("MatMulInteger", product, ["y" if one == "2" else "h"]))
    assert [found.shared for found in saturable(model(nodes, weights), tmp_path)] == expected


def test_weights_in_another_file_and_in_a_branch_are_seen(tmp_path):
    inner = product(column(127, 127)).graph
    del inner.initializer[:], inner.input[:]
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    made = model([node], {"w": column(127, 127)}, [("x", TensorProto.UINT8)])
    onnx.save_model(
        made, tmp_path / "m.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    made = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    assert len(saturable(made, tmp_path)) == 2


def test_computed_weights_are_taken_to_be_the_worst(tmp_path):
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    made = model([node], {}, [("x", TensorProto.UINT8), ("w", TensorProto.INT8)])
    assert [found.worst_sum for found in saturable(made, tmp_path)] == [256 * 255]
