"""The yardstick: a small fixed model that is measured beside every study's trials.

What a trial takes as a multiple of it compares between two runs of one machine, however fast the
machine was in either. So its file is the same everywhere and for ever: weights and queries come
from whole numbers, not from a generator, and the file from its fields, not from a helper that may
add some. A test holds both hashes. One of another content would be another yardstick: give it
another name.

Four products of [64, 128] and one matrix [128, 128] on one thread: 0.1 to 0.2 ms where it computes
with 256 or 512 bits, in 0.3 MB with what is packed, which stays in the second cache.
"""

from __future__ import annotations

from typing import Any

ROWS, WIDTH, LAYERS = 64, 128, 4
IR_VERSION, OPSET = 7, 13
"""read by every ONNX Runtime since 1.6 of 2020"""
INPUT, OUTPUT = "x", "y"


def _numbers(rows: int, i: int, j: int, both: int) -> Any:
    """Whole numbers from -63 to 63 in a matrix of full rank, [rows, WIDTH], float32."""
    import numpy as np

    row, column = np.indices((rows, WIDTH))
    return ((row * i + column * j + row * column * both) % 127 - 63).astype(np.float32)


def query() -> Any:
    """The one query, [1, ROWS, WIDTH], within ±1."""
    return _numbers(ROWS, 29, 53, 7)[None] / 64


def model() -> bytes:
    """The model's file. Values stay between 2^-40 and 100, or are 0: none is subnormal."""
    import onnx

    weights = (_numbers(WIDTH, 37, 61, 11) / 256).astype("<f4")
    nodes, last = [], INPUT
    for layer in range(LAYERS):
        product, positive = f"product{layer}", f"positive{layer}"
        positive = OUTPUT if layer == LAYERS - 1 else positive
        nodes += [
            onnx.NodeProto(op_type="MatMul", input=[last, "weights"], output=[product]),
            onnx.NodeProto(op_type="Relu", input=[product], output=[positive]),
        ]
        last = positive
    graph = onnx.GraphProto(
        name="yardstick",
        node=nodes,
        input=[_value(INPUT)],
        output=[_value(OUTPUT)],
        initializer=[
            onnx.TensorProto(
                name="weights", data_type=onnx.TensorProto.FLOAT, dims=weights.shape,
                raw_data=weights.tobytes(),
            )
        ],
    )  # fmt: skip
    made = onnx.ModelProto(
        ir_version=IR_VERSION,
        graph=graph,
        opset_import=[onnx.OperatorSetIdProto(domain="", version=OPSET)],
    )
    return bytes(made.SerializeToString(deterministic=True))


def _value(name: str) -> Any:
    import onnx

    sizes = [onnx.TensorShapeProto.Dimension(dim_value=size) for size in (ROWS, WIDTH)]
    tensor = onnx.TypeProto.Tensor(
        elem_type=onnx.TensorProto.FLOAT, shape=onnx.TensorShapeProto(dim=sizes)
    )
    return onnx.ValueInfoProto(name=name, type=onnx.TypeProto(tensor_type=tensor))
