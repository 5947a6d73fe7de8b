"""What columns of labels have in common: they hold finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.statistics.pieces import chunks
from profiler.wire.codec import show

Array = npt.NDArray[Any]
_SHOWN_ROWS = 5


def some(rows: Array) -> str:
    """'row 3' or 'rows 3, 8, 9 (and 4 more)'."""
    listed = ", ".join(str(row) for row in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    tail = f" (and {more} more)" if more > 0 else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{tail}"


def check_finite(value: Array, where: str) -> None:
    """Raise DataError naming the rows that hold NaN or infinity."""
    if value.dtype.kind != "f":
        return
    fine = np.ones(len(value), dtype=bool)
    for piece in chunks(value):
        fine[piece] = np.isfinite(value[piece]).reshape(len(value[piece]), -1).all(axis=1)
    bad = np.flatnonzero(~fine)
    if len(bad):
        raise DataError(
            f"{where}: expected finite numbers, got NaN or Inf in {some(bad)}",
            hint="rows count from 0; repair or drop them before saving",
        )


def check_numbers(column: Array, where: str, what: str = "whole numbers") -> None:
    """Raise DataError for labels that are text, or not finite. `what` is expected."""
    if column.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: expected {what}, got text in row 0: {show(str(column.reshape(-1)[0]))}",
            hint="number the classes from 0, in the order of the model's scores",
        )
    check_finite(column, where)


def check_any(labels: Array, empty: list[int], what: str, where: str) -> None:
    """Raise DataError where no row has a label outside of `empty`: nothing could be judged."""
    if not any(~np.isin(labels[piece], empty).all() for piece in chunks(labels)):
        raise DataError(f"{where}: expected {what} in some row, got none")
