"""A number for each row: the first value of its output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import DataSpec
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows
from profiler.tasks import verdicts
from profiler.tasks.labels import check_numbers
from profiler.tasks.outputs import first_values
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]


def r2(predicted: Array, truth: Array) -> float:
    """Coefficient of determination; 0 for a constant truth."""
    residual = float(np.sum((truth - predicted) ** 2))
    total = float(np.sum((truth - truth.mean()) ** 2))
    return 1.0 - residual / total if total else 0.0


def metrics(output: Rows, labels: Array) -> dict[str, Any]:
    """mae, rmse and r2 of the first value of each row."""
    from sklearn import metrics as library

    truth, predicted = first_values(labels), first_values(output)
    if not np.isfinite(predicted).all():
        return {}
    return {
        "mae": float(library.mean_absolute_error(truth, predicted)),
        "rmse": float(library.root_mean_squared_error(truth, predicted)),
        "r2": float(library.r2_score(truth, predicted)) if len(truth) > 1 else None,
    }


class Regression(Task):
    titles: ClassVar[Mapping[str, str]] = {"mae": "MAE", "rmse": "RMSE", "r2": "R²"}
    stress_needs_labels = True

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """float64 (rows,) or (rows, targets)."""
        check_numbers(column, where, "numbers")
        return column.astype(np.float64)

    def distance(self, spec: DataSpec, output: Tensor, labels: Array) -> float | None:
        """An output with as many numbers a row as the labels fits."""
        wanted = 1 if labels.ndim == 1 else labels.shape[1]
        last = output.shape[-1] if output.shape else None
        size = last if len(output.shape) == 2 else len(output.shape) or math.inf
        return None if isinstance(size, str) else 0 if size == wanted else math.inf

    def check_usable(self, output: Array, truth: Truth) -> None:
        if not output.size:
            raise DataError("data.task: regression needs a number a row, the model gave none")

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        true, values = first_values(truth.known), once(answers.outputs, first_values)
        judged = verdicts.by_metric(
            r2, values, true, answers.baselines, answers.margin, answers.seed
        )
        return verdicts.named(judged, "R²")

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        return metrics(output, truth.known)


TASK = Regression()
