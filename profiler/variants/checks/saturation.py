"""Which 8-bit products can saturate on an x86 processor without VNNI, by looking at the weights.

There ONNX Runtime multiplies unsigned activations by signed weights with vpmaddubsw, which adds
neighbouring pairs of products in 16 bits: 255 × (64 + 65) is more than they hold, and the sum is
cut off. The pairs are the numbers 2i and 2i + 1 along the reduction, for a convolution in the
order kernel, then channel. Found operator by operator on an emulated Haswell, whose sums are cut
off in exactly these pairs: ConvInteger and depthwise convolutions are exact. What may stand between
DequantizeLinear and a product that becomes an 8-bit one was found on a processor with AVX2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from profiler.schema.artifact import Saturable
from profiler.variants.scope import Array, Scope, scopes

LARGEST_ACTIVATION = 255
LARGEST_SUM = 2**15 - 1
_LARGEST_WEIGHT = 64
"""two of them times 255 are within 16 bits"""
_OPERATORS: dict[str, tuple[Optional[int], dict[int, int]]] = {
    "Conv": (0, {1: 2}), "DynamicQuantizeLSTM": (None, {1: 9, 2: 11}),
    "DynamicQuantizeMatMul": (None, {1: 3}), "Gemm": (0, {1: 2}), "MatMul": (0, {1: 2}),
    "MatMulInteger": (0, {1: 3}), "MatMulIntegerToFloat": (0, {1: 5}), "QAttention": (0, {1: 7}),
    "QGemm": (0, {3: 5}), "QLinearConv": (0, {3: 5}), "QLinearMatMul": (0, {3: 5}),
}  # fmt: skip
"""operator -> (number of its activations' input, None where it makes them itself as u8; numbers
of its weights' inputs, each with that of their zero point)"""
_FLOAT = ("Conv", "Gemm", "MatMul")
"""with DequantizeLinear before both inputs, the runtime makes an 8-bit operator of it"""
_SAME = ("Dropout", "Identity", "Transpose")
_MOVED = ("MaxPool", "Reshape", "Slice", "Squeeze", "Unsqueeze")
"""may stand between the two: the former anywhere, the latter behind activations"""


@dataclass(frozen=True, slots=True)
class _Eight:
    """An 8-bit tensor, its zero point, and the Transposes between it and a product, last first."""

    name: str
    zero: str
    turns: tuple[Any, ...] = ()


def saturable(model: Any, folder: Path) -> tuple[Saturable, ...]:
    """The nodes of a ModelProto, and of its subgraphs, whose sums of pairs can leave 16 bits.

    `folder` holds the model's external weights. Activations are taken to reach 255, since
    calibration puts the largest one there; weights that are computed are taken to be −128.
    """
    looked = [
        _look(node, scope)
        for scope in scopes(model.graph, folder)
        for node in scope.graph.node
        if node.op_type in _OPERATORS
    ]
    readers = Counter(name for _, names in looked for name in names)
    return tuple(
        replace(found, shared=any(readers[name] > 1 for name in names))
        for found, names in looked
        if found is not None
    )


def _look(node: Any, scope: Scope) -> tuple[Optional[Saturable], list[str]]:
    """(what can saturate, its weights and zero points if beyond 7 bits) of one node."""
    worst, above, among = 0, 0, 0
    wide: list[str] = []
    for weights in _signed(node, scope):
        values = scope.values(weights.name)
        if values is None:
            worst, above, among = 2 * 128, above + 1, among + 1
            continue
        if np.abs(values.astype(np.int16)).max(initial=0) > _LARGEST_WEIGHT:
            wide += [name for name in (weights.name, weights.zero) if name]
        for turn in reversed(weights.turns):
            values = values.transpose(next((a.ints for a in turn.attribute), None))
        sums = _pairs(node, values)
        worst = max(worst, int(sums.max(initial=0)))
        above += int((sums * LARGEST_ACTIVATION > LARGEST_SUM).sum())
        among += len(sums)
    if worst * LARGEST_ACTIVATION <= LARGEST_SUM:
        return None, wide
    found = Saturable(
        node=node.name or node.output[0],
        operator=node.op_type,
        worst_sum=worst * LARGEST_ACTIVATION,
        channels=above,
        of_channels=among,
    )
    return found, wide


def _signed(node: Any, scope: Scope) -> Iterator[_Eight]:
    """A node's signed weights, where its activations are unsigned."""
    import onnx

    first, places = _OPERATORS[node.op_type]
    if first is not None:
        activations = _eight_bit(node, first, None, scope)
        # Where nothing tells the type (a reshape of 8-bit numbers), the worse one is assumed.
        if activations is None or scope.kind(activations.name) == onnx.TensorProto.INT8:
            return
    for place, zero in places.items():
        weights = _eight_bit(node, place, zero, scope)
        if weights is not None and scope.kind(weights.name) == onnx.TensorProto.INT8:
            yield weights


def _eight_bit(node: Any, place: int, zero: Optional[int], scope: Scope) -> Optional[_Eight]:
    """The 8-bit tensor an input stands for; None where it is computed in float."""
    inputs = dict(enumerate(node.input))
    name = inputs.get(place, "")
    if node.op_type not in _FLOAT:
        return _Eight(name, "" if zero is None else inputs.get(zero, "")) if name else None
    turns, moved = [], False
    maker = scope.maker(name)
    while maker is not None and maker.op_type in (*_SAME, *_MOVED):
        if maker.op_type == "Transpose":
            turns.append(maker)
        moved = moved or maker.op_type in _MOVED
        maker = scope.maker(maker.input[0])
    if maker is None or maker.op_type != "DequantizeLinear":
        return None
    name, _, point = [*maker.input, "", ""][:3]
    return None if moved and scope.fixed(name) is not None else _Eight(name, point, tuple(turns))


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
