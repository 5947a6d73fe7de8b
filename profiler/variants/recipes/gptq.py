"""4-bit weights rounded again, one after the other, each making up for the error of those before.

GPTQ (Frantar et al. 2022) on the scales and zero points that plain rounding found, weighted by what
the products read on calibration rows. ONNX Runtime's own (1.31) takes the triangle of the inverse
Hessian from the wrong side, where it is zero: nothing is made up for, and its weights are those of
plain rounding, or of coarser scales where a column has an odd number of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import VariantError
from profiler.variants.graph import write
from profiler.variants.recipe import Array
from profiler.variants.scope import Scope
from profiler.wire.providers import CPU

DAMPING = 0.01
"""of the Hessian's mean diagonal, added to it"""
LARGEST, MIDDLE = 15, 8
_STEP = 128
"""weights whose errors are handed on together"""
_BYTES = 2**28
"""of the Hessians that are held at once; the model runs once for each such group"""


@dataclass(frozen=True, slots=True)
class _Product:
    """Weights of the source, a MatMulNBits that holds them, and all tensors they multiply."""

    weights: str
    node: Any
    inputs: list[str]

    @property
    def depth(self) -> int:
        """Weights of a column."""
        return int(next(a.i for a in self.node.attribute if a.name == "K"))


def round_again(
    made: Any, source: Any, queries: Iterable[Mapping[str, Any]], scratch: Path
) -> None:
    """Change the codes of the MatMulNBits nodes of `made` to fit what they read on `queries`.

    `made` is `source` (ModelProtos) with plainly rounded weights. Products inside branches and
    loops keep them, and so do columns that would lose by it. Raises VariantError when the CPU
    provider does not answer the queries.
    """
    before = {node.output[0]: node for node in source.graph.node if node.op_type == "MatMul"}
    products: dict[str, _Product] = {}
    for node in made.graph.node:
        if node.op_type == "MatMulNBits" and node.output[0] in before:
            source_node = before[node.output[0]]
            same = products.setdefault(node.input[1], _Product(source_node.input[1], node, []))
            same.inputs.append(source_node.input[0])
    weights, held = Scope(source.graph), {t.name: t for t in made.graph.initializer}
    rows = list(queries)
    for some in _groups(list(products.values())):
        depths = {name: product.depth for product in some for name in product.inputs}
        hessians = _hessians(source, depths, rows, scratch)
        for product in some:
            hessian = np.sum([hessians[name] for name in product.inputs], axis=0)
            if not np.isfinite(hessian).all():
                raise VariantError(
                    "int4:gptq: on calibration rows the model computes NaN or infinity in "
                    f'"{product.inputs[0]}"'
                )
            value = weights.values(product.weights)
            assert value is not None
            _change(product.node, held, value.astype(np.float64), hessian)


def _groups(products: list[_Product]) -> Iterator[list[_Product]]:
    """Products in turn, as many as the Hessians of their inputs leave room for."""
    some: list[_Product] = []
    held: dict[str, int] = {}
    for product in products:
        own = dict.fromkeys(product.inputs, 8 * product.depth**2)
        if some and sum((held | own).values()) > _BYTES:
            yield some
            some, held = [], {}
        held |= own
        some.append(product)
    if some:
        yield some


def _hessians(
    source: Any, depths: Mapping[str, int], rows: list[Mapping[str, Any]], scratch: Path
) -> dict[str, Array]:
    """Tensor -> the sum of the products of its columns with each other over all queries."""
    import onnx
    import onnxruntime

    model = onnx.ModelProto()
    model.CopyFrom(source)
    given = {value.name for value in model.graph.input}
    computed = [name for name in depths if name not in given]
    del model.graph.output[:]
    names = computed or [source.graph.output[0].name]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    looked = scratch / "inputs.onnx"
    write(model, looked)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(looked, options, providers=[CPU])
    found = {name: np.zeros((depth, depth)) for name, depth in depths.items()}
    for query in rows:
        answers = dict(zip(names, session.run(names, dict(query)), strict=True))
        for name, depth in depths.items():
            seen = np.asarray({**query, **answers}[name], np.float64).reshape(-1, depth)
            with np.errstate(invalid="ignore"):  # told by who asked
                found[name] += seen.T @ seen
    return found


def _change(node: Any, held: Mapping[str, Any], weights: Array, hessian: Array) -> None:
    """Write better codes of `weights` [depth, columns] into the tensors of a MatMulNBits."""
    import onnx

    size = next(a.i for a in node.attribute if a.name == "block_size")
    depth, columns = weights.shape
    blocks = -(-depth // size)
    packed, scales = (onnx.numpy_helper.to_array(held[name]) for name in node.input[1:3])
    codes = _unpacked(packed.reshape(columns, -1))
    of_block = np.arange(depth) // size
    scale = scales.astype(np.float64).reshape(columns, blocks).T[of_block]
    zero = np.full((columns, blocks), MIDDLE)
    if len(node.input) > 3 and node.input[3]:
        points = onnx.numpy_helper.to_array(held[node.input[3]])
        zero = _unpacked(points.reshape(columns, -1))[:, :blocks]
    plain = codes[:, :depth].T
    better = _corrected(weights, hessian, scale, zero.T[of_block])

    def loss(numbers: Array) -> Array:
        error = weights - (numbers - zero.T[of_block]) * scale
        lost: Array = (error * (hessian @ error)).sum(axis=0)
        return lost

    codes[:, :depth] = np.where(loss(better) < loss(plain), better, plain).T
    value = (codes[:, 0::2] | codes[:, 1::2] << 4).astype(np.uint8).reshape(packed.shape)
    held[node.input[1]].CopyFrom(onnx.numpy_helper.from_array(value, node.input[1]))


def _unpacked(bytes_: Array) -> Array:
    """[..., n] bytes -> [..., 2n] codes, the lower four bits first."""
    both = np.stack([bytes_ & 15, bytes_ >> 4], axis=-1)
    return both.reshape(*bytes_.shape[:-1], -1).astype(np.int64)


def _corrected(weights: Array, hessian: Array, scale: Array, zero: Array) -> Array:
    """Codes [depth, columns], rounded from the first weight of each column to the last."""
    depth = len(weights)
    square = hessian.copy()
    dead = np.diag(square) == 0
    square[dead, dead] = 1.0
    square[np.diag_indices(depth)] += DAMPING * np.mean(np.diag(square))
    # Row i of the upper triangle says how the weights after i make up for an error of weight i.
    upper = np.linalg.cholesky(np.linalg.inv(square)).T
    left, codes = weights.copy(), np.empty(weights.shape, np.int64)
    for start in range(0, depth, _STEP):
        stop = min(start + _STEP, depth)
        errors = np.empty((stop - start, weights.shape[1]))
        for i in range(start, stop):
            codes[i] = np.clip(np.round(left[i] / scale[i]) + zero[i], 0, LARGEST)
            error = (left[i] - (codes[i] - zero[i]) * scale[i]) / upper[i, i]
            left[i + 1 : stop] -= np.outer(upper[i, i + 1 : stop], error)
            errors[i - start] = error
        left[stop:] -= upper[start:stop, stop:].T @ errors
    return codes
