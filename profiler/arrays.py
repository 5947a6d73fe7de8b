"""Arrays of a results folder, checked: predictions, labels and numbers of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import DataError, ResultsError
from profiler.reading import DAMAGED
from profiler.schema.data import DataSpec
from profiler.schema.recorded import Evaluation
from profiler.store import read_array

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def kept(folder: Path, sha: str, kinds: str, count: int | None = None) -> Array:
    """An array with one entry a row. kinds: numpy's letters for types it may have; count: how many
    rows it must have. Raises ResultsError."""
    values: Array = read_array(folder, sha)
    expected, got = "numbers, one entry a row", f"shape {list(values.shape)} of {values.dtype}"
    if values.ndim > 0 and values.size and values.dtype.kind in kinds:
        if count in (None, len(values)):
            return values
        expected, got = f"{count} rows", str(len(values))
    raise refused(folder, sha, expected, got)


def column(folder: Path, sha: str, kinds: str, count: int | None = None) -> Array:
    """The same with one value a row, shape (rows,). Raises ResultsError."""
    values = kept(folder, sha, kinds, count)
    if values.ndim != 1:
        raise refused(folder, sha, "one value a row", f"shape {list(values.shape)}")
    return values


def refused(folder: Path, sha: str, expected: str, got: str) -> ResultsError:
    """What an array was expected to hold."""
    return ResultsError(
        f"{folder / 'outputs' / sha}.npy: expected {expected}, got {got}", hint=DAMAGED
    )


def count(folder: Path, evaluation: Evaluation) -> int:
    """How many rows were predicted. Raises ResultsError."""
    found = len(column(folder, evaluation.numbers, "iu"))
    if found < evaluation.rows:
        expected = f"{evaluation.rows} rows or more, as artifacts.json says"
        raise refused(folder, evaluation.numbers, expected, str(found))
    return found


def labels(folder: Path, evaluation: Evaluation, spec: DataSpec) -> Array | None:
    """What is right for each predicted row, if anybody knows, as the task has it.

    Raises ResultsError.
    """
    from profiler.data.labels import check_labels

    if evaluation.labels is None:
        return None
    found = kept(folder, evaluation.labels, "biuf", count(folder, evaluation))
    try:
        return check_labels(spec, found, f"{folder / 'outputs' / evaluation.labels}.npy: labels")
    except DataError as error:
        raise ResultsError(error.message, hint=DAMAGED) from None
