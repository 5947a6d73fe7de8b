"""What an output says of each row: its class, or its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profiler.errors import DataError
from profiler.statistics.pieces import Rows, by_piece

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def predicted_classes(output: Rows) -> Array:
    """Class numbers from scores of shape (rows, classes), or from labels of shape (rows,)."""
    import numpy as np

    if output.ndim == 1 and np.issubdtype(output.dtype, np.integer):
        return np.asarray(output).astype(np.int64)
    if output.ndim == 2 and output.shape[1] > 1:
        return by_piece(lambda scores: scores.argmax(axis=1), output).astype(np.int64)
    if output.ndim == 2 and output.shape[1] == 1:
        return by_piece(lambda scores: scores[:, 0] > 0.5, output).astype(np.int64)
    raise DataError(
        f"data.task: classification needs scores of shape (rows, classes), got {output.shape}",
        hint='name the output that holds the scores: output = "logits" under [data]',
    )


def first_values(output: Rows) -> Array:
    """The first value of each row as float64, shape (rows,)."""
    return by_piece(lambda values: values.reshape(len(values), -1)[:, 0].astype(float), output)
