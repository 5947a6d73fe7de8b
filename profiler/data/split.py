"""Which rows calibrate and which evaluate: from a column, or drawn with a seed. Never both."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.errors import DataError
from profiler.schema.codec import nearest
from profiler.schema.study import DataSpec

Array = np.ndarray[Any, Any]


def draw(rows: Array, count: int, labels: Array | None, seed: int) -> Array:
    """`count` of the row numbers `rows`, ascending; each class keeps its share within one row.

    `labels` are those of all rows of the file, or None for a plain draw. Systematic sampling: the
    i-th of a class's n shuffled rows sits at (i + u) / n with one random u per class, and the
    lowest positions are taken.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(rows)
    if labels is None:
        return np.sort(shuffled[:count])
    position = np.empty(len(shuffled))
    classes = labels[shuffled]
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        position[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.sort(shuffled[np.argsort(position, kind="stable")[:count]])


def split(
    spec: DataSpec, column: Array | None, rows: int, labels: Array | None, seed: int, file: str
) -> tuple[Array, Array]:
    """(calibration, evaluation) row numbers, int64, ascending and disjoint.

    `column` is the split column, if the spec names one. Stratified for classification. Raises
    DataError when no row is left to evaluate.
    """
    strata = labels if spec.task == "classification" else None
    everything = np.arange(rows, dtype=np.int64)
    if column is not None:
        words = np.char.strip(column.astype(np.str_))
        calibration = everything[words == "calibration"]
        evaluation = everything[words == "evaluation"]
        if not len(evaluation):
            found = [str(word) for word in np.unique(words)[:6]]
            raise DataError(
                f'{file}: data.split: expected rows marked "evaluation" in column '
                f'"{spec.split}", it holds {", ".join(found)}',
                hint=nearest("evaluation", found)
                or "mark rows 'calibration' and 'evaluation'; other values are not used",
            )
    else:
        if spec.calibration_rows >= rows:
            raise DataError(
                f"{file}: data.calibration_rows: expected fewer than the file's {rows} rows, "
                f"got {spec.calibration_rows}, which leaves none to evaluate",
                hint=f"set calibration_rows = {max(1, rows // 5)}",
            )
        calibration = draw(everything, spec.calibration_rows, strata, seed)
        evaluation = np.setdiff1d(everything, calibration, assume_unique=True)
    if spec.evaluation_rows is not None and spec.evaluation_rows < len(evaluation):
        evaluation = draw(evaluation, spec.evaluation_rows, strata, seed)
    return calibration, evaluation
