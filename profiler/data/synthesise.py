"""Made-up inputs for a model without data: latency can be measured, accuracy can't.

Never zeros: sparse-aware kernels and denormal handling make them faster than real values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import psutil

from profiler.data.bind import not_fed
from profiler.errors import DataError
from profiler.schema.artifact import Tensor, Values
from profiler.schema.axes import all_sizes, find_batch
from profiler.units import format_size

Array = np.ndarray[Any, Any]
TOKENS = 10
"""whole numbers are drawn from 1 up to below this: valid ids even of a small vocabulary"""
DRAWS = ("drawn", "ones", "least")
_COPIES = 6
"""of a query that are in memory at once: two and both stacked, and a draw of 64 bits a value"""
_MOST_DRAWN = 2**24
"""values of one input; a larger one holds them again and again, or drawing would take minutes"""
LARGEST_BYTES = 2 * 2**30
"""of one input of one query: beyond it a size is a mistake, or damage of the file"""


def synthesise(
    inputs: tuple[Tensor, ...],
    *,
    rows: int = 1,
    seed: int = 0,
    shapes: Mapping[str, int] | None = None,
    samples: Collection[str] | None = None,
    takes: Mapping[str, Values] | None = None,
    draw: str = "drawn",
) -> dict[str, Array]:
    """Model input -> array of its dtype and shape with `rows` along the dimensions `samples`.

    Another open dimension gets its value from `shapes`, else what it depends on, else 1. Floats
    are standard normal, uint8 any byte, other whole numbers what the input
    `takes` (rows of an embedding, lengths of sequences), else small ids; inputs whose name says
    mask, type or position get values that make sense there. `draw` (of DRAWS) makes whole numbers
    ones, or the least they may be beside floats from 0 to 1, for models that refuse others. Raises
    DataError for a dtype, rank or size that can't be made up.
    """
    names = find_batch(inputs, ()).names if samples is None else samples
    sizes, _ = all_sizes(inputs, samples=names, rows=rows, given=shapes or {})
    every = {tensor.name: _shape(tensor, sizes) for tensor in inputs}
    _check_room(inputs, every, rows)
    made = {}
    for index, tensor in enumerate(inputs):
        generator = np.random.default_rng([seed, index])
        span = _span((takes or {}).get(tensor.name), every)
        made[tensor.name] = _values(tensor, every[tensor.name], generator, span, draw)
    return made


def _shape(tensor: Tensor, sizes: Mapping[str, int]) -> tuple[int, ...]:
    if not tensor.numeric:
        raise not_fed(tensor)
    if tensor.shape == ("...",):
        raise DataError(
            f'the model does not say the shape of its input "{tensor.name}"',
            hint="add [data] to the study, or export the model with shapes",
        )
    shape = tuple(size if isinstance(size, int) else sizes[size] for size in tensor.shape)
    each = np.dtype(tensor.dtype).itemsize
    for asked, size in zip(tensor.shape, shape, strict=True):
        if size < 1:
            raise DataError(
                f'input "{tensor.name}": the size {asked} comes to {size}, expected 1 or more',
                hint="--shape NAME=SIZE (models.shapes) sets the sizes it depends on",
            )
    if math.prod(shape) * each > LARGEST_BYTES:
        raise DataError(
            f'input "{tensor.name}" of {" × ".join(map(str, shape))} {tensor.dtype} is larger than'
            f" {LARGEST_BYTES >> 30} GiB a query",
            hint="ask for a smaller batch or size; if the file says so, it may be damaged",
        )
    return shape


def _check_room(
    inputs: tuple[Tensor, ...], shapes: Mapping[str, tuple[int, ...]], rows: int
) -> None:
    each = sum(math.prod(shapes[t.name]) * np.dtype(t.dtype).itemsize for t in inputs)
    free = psutil.virtual_memory().available
    if each * _COPIES > free:
        raise DataError(
            f"made-up inputs of {rows} samples take {format_size(each)} a query, and making them"
            f" {format_size(each * _COPIES)}; {format_size(free)} of memory are free",
            hint="ask for a smaller batch or smaller sizes (--shape NAME=SIZE, models.shapes)",
        )


def _span(values: Values | None, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int] | None:
    """Least and largest value, both included."""
    if values is None:
        return None
    high = values.high
    if values.input is not None:
        size = shapes[values.input][values.axis]
        high = size if values.counts else size - 1
    high = max(0, high or 0)
    return (high if values.counts else min(values.low, high)), high


def _values(
    tensor: Tensor,
    shape: tuple[int, ...],
    generator: np.random.Generator,
    span: tuple[int, int] | None,
    draw: str,
) -> Array:
    name = tensor.name.lower()
    dtype = np.dtype(tensor.dtype)
    if math.prod(shape) > _MOST_DRAWN and not ("position" in name and shape):
        return np.resize(_values(tensor, (_MOST_DRAWN,), generator, span, draw), shape)
    if draw != "drawn" and "mask" not in name:
        low, high = span or (0, 1)
        if dtype.kind == "f" and draw == "least":
            return np.asarray(generator.random(shape)).astype(dtype)
        if dtype.kind != "f":
            return np.full(shape, max(low, min(1, high)) if draw == "ones" else low, dtype)
    if dtype.kind == "b":
        return np.ones(shape, dtype) if "mask" in name else generator.random(shape) < 0.5
    if dtype.kind == "f" and span is None:
        return np.asarray(generator.standard_normal(shape)).astype(dtype)
    low, high = span or (0, int(np.iinfo(dtype).max))
    if "mask" in name:
        return np.ones(shape, dtype)
    if "position" in name and shape:
        count = np.arange(shape[-1])
        return np.broadcast_to(count % (min(high, shape[-1]) + 1), shape).astype(dtype)
    if span is not None:
        return np.asarray(generator.integers(low, high, shape, endpoint=True)).astype(dtype)
    if "type" in name:
        return np.asarray(generator.integers(0, 2, shape)).astype(dtype)
    if dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        drawn = generator.integers(limits.min, limits.max, shape, endpoint=True)
        return np.asarray(drawn).astype(dtype)
    return np.asarray(generator.integers(1, TOKENS, shape)).astype(dtype)
