"""Which 8-bit products can saturate on an x86 processor without VNNI, by looking at the weights.

There ONNX Runtime multiplies unsigned activations by signed weights with vpmaddubsw, which adds
neighbouring pairs of products in 16 bits: 255 × (64 + 65) is more than they hold, and the sum is
cut off. The pairs are the numbers 2i and 2i + 1 along the reduction, for a convolution in the
order kernel, then channel. Found operator by operator on an emulated Haswell, whose sums are cut
off in exactly these pairs: ConvInteger and depthwise convolutions are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

from profiler.schema.artifact import Saturable
from profiler.variants.scope import Array, Scope, scopes

LARGEST_ACTIVATION = 255
LARGEST_SUM = 2**15 - 1
_OPERATORS = {
    "Conv": (0, (1,)), "DynamicQuantizeLSTM": (None, (1, 2)), "DynamicQuantizeMatMul": (None, (1,)),
    "Gemm": (0, (1,)), "MatMul": (0, (1,)), "MatMulInteger": (0, (1,)),
    "MatMulIntegerToFloat": (0, (1,)), "QAttention": (0, (1,)), "QGemm": (0, (3,)),
    "QLinearConv": (0, (3,)), "QLinearMatMul": (0, (3,)),
}  # fmt: skip
"""operator -> (number of its activations' input, None where it makes them itself as u8; numbers
of its weights' inputs)"""
_FLOAT = ("Conv", "Gemm", "MatMul")
"""with DequantizeLinear before both inputs, the runtime makes an 8-bit operator of it"""


def saturable(model: Any, folder: Path) -> tuple[Saturable, ...]:
    """The nodes of a ModelProto, and of its subgraphs, whose sums of pairs can leave 16 bits.

    `folder` holds the model's external weights. Activations are taken to reach 255, since
    calibration puts the largest one there; weights that are computed are taken to be −128.
    """
    return tuple(
        found
        for scope in scopes(model.graph, folder)
        for node in scope.graph.node
        if node.op_type in _OPERATORS
        for found in _node(node, scope)
    )


def _node(node: Any, scope: Scope) -> Iterator[Saturable]:
    import onnx

    first, places = _OPERATORS[node.op_type]
    inputs = dict(enumerate(node.input))
    if first is not None:
        activations = _eight_bit(inputs.get(first, ""), node, scope)
        # Where nothing tells the type (a reshape of 8-bit numbers), the worse one is assumed.
        if activations is None or scope.kind(activations) == onnx.TensorProto.INT8:
            return
    worst, above, among = 0, 0, 0
    for place in places:
        name = _eight_bit(inputs.get(place, ""), node, scope)
        if name is None or scope.kind(name) != onnx.TensorProto.INT8:
            continue
        weights = scope.values(name)
        if weights is None:
            worst, above, among = 2 * 128, above + 1, among + 1
            continue
        sums = _pairs(node, weights)
        worst = max(worst, int(sums.max(initial=0)))
        above += int((sums * LARGEST_ACTIVATION > LARGEST_SUM).sum())
        among += len(sums)
    if worst * LARGEST_ACTIVATION > LARGEST_SUM:
        yield Saturable(
            node=node.name or node.output[0],
            operator=node.op_type,
            worst_sum=worst * LARGEST_ACTIVATION,
            channels=above,
            of_channels=among,
        )


def _eight_bit(name: str, node: Any, scope: Scope) -> Optional[str]:
    """The 8-bit tensor a node's input stands for; None where it is computed in float."""
    if node.op_type not in _FLOAT:
        return name or None
    maker = scope.maker(name)
    if maker is None or maker.op_type != "DequantizeLinear":
        return None
    return str(maker.input[0])


def _pairs(node: Any, weights: Array) -> Array:
    """For each output channel the largest sum of two neighbouring weights of one sign."""
    said = {a.name: a for a in node.attribute}
    if node.op_type in ("Conv", "QLinearConv"):
        group = said["group"].i if "group" in said else 1
        if weights.shape[1] == 1 and weights.shape[0] == group:
            return np.zeros(weights.shape[0], np.int64)
        along = weights.transpose(*range(2, weights.ndim), 1, 0)
        table = along.reshape(-1, weights.shape[0])
    else:
        turned = node.op_type in ("Gemm", "QGemm") and "transB" in said and said["transB"].i
        table = np.moveaxis(weights, -1 if turned or weights.ndim < 2 else -2, 0)
        table = table.reshape(len(table), -1)
    if not table.size or int(np.abs(table.astype(np.int16)).max()) * 2 <= 128:
        return np.zeros(table.shape[1], np.int64)
    wide = np.pad(table, ((0, len(table) % 2), (0, 0))).astype(np.int16)
    sums = [part[0::2] + part[1::2] for part in (np.maximum(wide, 0), np.maximum(-wide, 0))]
    worst: Array = np.maximum(*sums).max(axis=0).astype(np.int64)
    return worst
