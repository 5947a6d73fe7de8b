"""Arrays of a results folder, checked: predictions, labels and numbers of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from profiler.errors import DataError, ResultsError
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import Rows
from profiler.store.blobs import read_array
from profiler.store.reading import DAMAGED
from profiler.tasks.task import task_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

T = TypeVar("T", bound=Rows)

PREDICTED = "biuf"
"""numpy's letters for the types of predictions"""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """An array in a file, read when np.asarray asks for it; rows cut from it are not read either.

    It holds no file open: there may be more of them than files a process may open.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: Any
    offset: int
    """bytes before the first row"""

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Stored:
        start, stop, step = rows.indices(len(self))
        assert step == 1, "rows that follow one another"
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        shape = (max(0, stop - start), *self.shape[1:])
        return replace(self, shape=shape, offset=self.offset + start * row_bytes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Raises ResultsError where the file is no longer what it was."""
        import numpy as np

        count = math.prod(self.shape)
        try:
            found = np.fromfile(self.path, self.dtype, count, offset=self.offset)
        except OSError as error:
            text = f"{self.path}: can't be read ({error.strerror or error})"
            raise ResultsError(text, hint=DAMAGED) from None
        if len(found) != count:
            raise ResultsError(f"{self.path}: was cut off while it was read", hint=DAMAGED)
        return np.asarray(found.reshape(self.shape), dtype)


def predicted(folder: Path, sha: str, count: int) -> Rows:
    """Predictions, one entry a row, which may be larger than memory. Raises ResultsError."""
    mapped = read_array(folder, sha, mapped=True)
    if mapped.ndim and mapped.size and not mapped.flags.c_contiguous:
        return kept(folder, sha, PREDICTED, count)  # by columns: its rows lie in no one piece
    path = folder / "outputs" / f"{sha}.npy"
    found = Stored(path, mapped.shape, mapped.dtype, mapped.offset)
    return _checked(found, folder, sha, PREDICTED, count)


def kept(folder: Path, sha: str, kinds: str, count: int | None = None) -> Array:
    """An array with one entry a row. kinds: numpy's letters for types it may have; count: how many
    rows it must have. Raises ResultsError."""
    return _checked(read_array(folder, sha), folder, sha, kinds, count)


def _checked(values: T, folder: Path, sha: str, kinds: str, count: int | None) -> T:
    expected, got = "numbers, one entry a row", f"shape {list(values.shape)} of {values.dtype}"
    if values.ndim > 0 and 0 not in values.shape and values.dtype.kind in kinds:
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
    if evaluation.labels is None:
        return None
    found = kept(folder, evaluation.labels, "biuf", count(folder, evaluation))
    try:
        return task_of(spec.task).labels(
            spec, found, f"{folder / 'outputs' / evaluation.labels}.npy: labels"
        )
    except DataError as error:
        raise ResultsError(error.message, hint=DAMAGED) from None
