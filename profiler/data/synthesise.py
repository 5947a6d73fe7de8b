"""Made-up inputs for a model without data: latency can be measured, accuracy can't.

Never zeros: sparse-aware kernels and denormal handling make them faster than real values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from profiler.errors import DataError
from profiler.schema.artifact import Tensor

Array = np.ndarray[Any, Any]
TOKENS = 10
"""whole numbers are drawn from 1 up to below this: valid ids even of a small vocabulary"""


def synthesise(
    inputs: tuple[Tensor, ...],
    *,
    rows: int = 1,
    seed: int = 0,
    shapes: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """Model input -> array of its dtype and shape with `rows` along a symbolic first axis.

    A symbolic dimension gets its value from `shapes`, else 1. Floats are standard normal, int32
    and int64 small ids, uint8 any byte; inputs whose name says mask, type or position get values
    that make sense there. Raises DataError for a dtype or rank that can't be made up.
    """
    sizes = dict(shapes or {})
    made = {}
    for index, tensor in enumerate(inputs):
        generator = np.random.default_rng([seed, index])
        shape = _shape(tensor, rows, sizes, inputs)
        made[tensor.name] = _values(tensor, shape, generator)
    return made


def _shape(
    tensor: Tensor, rows: int, sizes: dict[str, int], inputs: tuple[Tensor, ...]
) -> tuple[int, ...]:
    batch = {t.shape[0] for t in inputs if t.shape and isinstance(t.shape[0], str)}
    if tensor.shape == ("...",):
        raise DataError(
            f'the model does not say the shape of its input "{tensor.name}"',
            hint="add [data] to the study, or export the model with shapes",
        )
    return tuple(
        size if isinstance(size, int) else rows if size in batch else sizes.get(size, 1)
        for size in tensor.shape
    )


def _values(tensor: Tensor, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    name = tensor.name.lower()
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if dtype.kind == "b":
        return np.ones(shape, dtype) if "mask" in name else generator.random(shape) < 0.5
    if dtype.kind not in "iu":
        raise DataError(
            f'values of type {tensor.dtype} for the model\'s input "{tensor.name}" '
            "can't be made up",
            hint="add [data] to the study",
        )
    if "mask" in name:
        return np.ones(shape, dtype)
    if "type" in name:
        return generator.integers(0, 2, shape).astype(dtype)
    if "position" in name and shape:
        return np.broadcast_to(np.arange(shape[-1]), shape).astype(dtype)
    if dtype.itemsize == 1:
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    return generator.integers(1, TOKENS, shape).astype(dtype)
