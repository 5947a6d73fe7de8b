"""Which array feeds which model input: names, dtypes and shapes are checked and made to fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from profiler.data.evaluation import EvaluationSet
from profiler.data.mapped import scratch
from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.statistics.pieces import chunks
from profiler.wire.codec import nearest

Array = np.ndarray[Any, Any]

NO_TENSOR = {"sequence_type": "a sequence", "optional_type": "optional", "map_type": "a map"}


def not_fed(tensor: Tensor) -> DataError:
    """Why an input of such a type can't be fed, and what the model needs instead."""
    if tensor.dtype in NO_TENSOR:
        return DataError(
            f'the model\'s input "{tensor.name}" is {NO_TENSOR[tensor.dtype]}; only tensors are '
            "fed",
            hint="export the model with plain tensors as inputs",
        )
    if tensor.dtype == "str":
        return DataError(
            f'the model\'s input "{tensor.name}" is text; only numbers are fed',
            hint="cut the encoding of text off the model (onnx.utils.extract_model), and feed the "
            "numbers it gives",
        )
    return DataError(
        f"the model's input \"{tensor.name}\" is {tensor.dtype}, which numpy can't feed",
        hint="export the model with float32 or float16 inputs, and a Cast inside",
    )


def bind(
    data: EvaluationSet,
    inputs: tuple[Tensor, ...],
    *,
    shapes: Mapping[str, int] | None = None,
    samples: Collection[str] = (),
) -> dict[str, Array]:
    """Model input -> array [rows, ...] of the model's dtype, for all rows of the file.

    `shapes` fixes symbolic dimensions (ModelSpec.shapes); others must agree between inputs. A data
    set that names no inputs and has one column feeds a model with one input, whatever its name.
    Raises DataError naming file, key, expected and got.
    """
    sizes = dict(shapes or {})
    bound = {}
    for tensor in inputs:
        if not tensor.numeric:
            raise not_fed(tensor)
        _check_first(tensor, samples)
        where = f"{data.file}: data.inputs.{tensor.name}"
        value = _fitted(_find(data, tensor, inputs, where), tensor, sizes, where)
        bound[tensor.name] = _converted(value, tensor.dtype, where)
    return bound


def _check_first(tensor: Tensor, samples: Collection[str]) -> None:
    """Rows are stacked along the first axis: it has to be the one of the samples."""
    axis = next((i for i, size in enumerate(tensor.shape) if size in samples), None)
    first = tensor.shape[0] if tensor.shape else None
    fixed = isinstance(first, int) and first > 1 and bool(samples)  # a 1 takes rows one by one
    if axis or (axis is None and (fixed or first is None)):
        got = f"has its samples on axis {axis}" if axis else "has no axis of samples"
        raise DataError(
            f'the model\'s input "{tensor.name}" {got}; rows of [data] go along its first axis',
            hint="export the model with the batch first in every input (what is one value for all "
            "samples as a constant inside), or leave the data out",
        )


def _converted(value: Array, dtype: str, where: str) -> Array:
    """A mapped array is converted in pieces, and stays mapped."""
    if not isinstance(value, np.memmap) or str(value.dtype) == dtype:
        return _cast(value, dtype, where)
    made: Array | None = None
    for piece in chunks(value):
        part = _cast(value[piece], dtype, where)
        made = scratch(value.shape, part.dtype) if made is None else made
        made[piece] = part
    return value if made is None else made


def _find(data: EvaluationSet, tensor: Tensor, inputs: tuple[Tensor, ...], where: str) -> Array:
    if tensor.name in data.inputs:
        return data.inputs[tensor.name]
    if not data.named and len(inputs) == len(data.inputs) == 1:
        return next(iter(data.inputs.values()))
    names = ", ".join(data.inputs)
    close = nearest(tensor.name, data.inputs)
    raise DataError(
        f'{where}: the model has an input "{tensor.name}", the data has: {names}',
        hint=close or f'add it to the study: [data] inputs = {{ "{tensor.name}" = "<column>" }}',
    )


def _fitted(value: Array, tensor: Tensor, sizes: dict[str, int], where: str) -> Array:
    """Check rank and every axis but the first; symbolic sizes met are added to `sizes`."""
    shape = tensor.shape
    if shape == ("...",):
        return value
    if value.ndim == 1 and len(shape) == 2 and shape[1] == 1:
        value = value[:, None]  # one plain column for an input [batch, 1]
    # A symbol on the first axis is the batch and differs from query to query.
    fits = value.ndim == len(shape) and all(
        got == (wanted if isinstance(wanted, int) else sizes.get(wanted, got))
        for got, wanted in zip(value.shape[1:], shape[1:], strict=True)
    )
    if not fits:
        wanted_text = ", ".join(
            f"{d} = {sizes[d]}" if isinstance(d, str) and d in sizes and i else str(d)
            for i, d in enumerate(shape)
        )
        got_text = ", ".join(("rows", *map(str, value.shape[1:])))
        raise DataError(
            f"{where}: expected shape [{wanted_text}], got [{got_text}]",
            hint=_shape_hint(value, tensor),
        )
    for got, wanted in zip(value.shape[1:], shape[1:], strict=True):
        if isinstance(wanted, str):
            sizes[wanted] = got
    return value


def _shape_hint(value: Array, tensor: Tensor) -> str:
    inner = tensor.shape[1:]
    if value.ndim == 1 and len(inner) == 1:
        return f'stack columns: [data] inputs = {{ "{tensor.name}" = ["<column>", "<column>"] }}'
    if value.ndim == 4 and len(inner) == 3 and value.shape[3] == inner[0]:
        return "channels come first here: save the column with np.moveaxis(images, 3, 1)"
    known = [size for size in inner if isinstance(size, int)]
    if len(known) == len(inner) and int(np.prod(value.shape[1:])) == int(np.prod(known)):
        return f"save the column reshaped: array.reshape(-1, {', '.join(map(str, known))})"
    return "the first axis counts rows; the others must be what the model was exported with"


def _cast(value: Array, dtype: str, where: str) -> Array:
    """To the model's dtype if no value changes beyond float rounding."""
    try:
        target = np.dtype(dtype)
    except TypeError:
        target = np.dtype(object)
    kind, given = target.kind, value.dtype.kind
    if value.dtype == target and kind in "biuf":
        return value
    hint = None
    if kind not in "biuf" or given not in "biuf":
        hint = f"save the column as {dtype}"
    elif kind == "f":
        with np.errstate(over="ignore"):
            cast = value.astype(target)
        if np.isfinite(cast).all():
            return cast
        hint = f"values beyond {np.finfo(target).max:.4g} do not fit {dtype}"
    elif kind == "b":
        if np.isin(value, (0, 1)).all():
            return value.astype(target)
        hint = "only 0 and 1 are taken for true and false"
    else:
        limits = np.iinfo(target)
        whole = given != "f" or bool((value == np.floor(value)).all())
        if whole and (not value.size or limits.min <= value.min() <= value.max() <= limits.max):
            return value.astype(target)
        hint = f"whole numbers from {limits.min} to {limits.max} fit"
    raise DataError(f"{where}: expected {dtype}, got {value.dtype}", hint=hint)
