"""Whatever the study's own metric makes of outputs and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from profiler.schema.study.data import DataSpec
from profiler.tasks.labels import check_numbers
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]


class Custom(Task):
    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """float64 of any shape."""
        check_numbers(column, where, "numbers")
        return column.astype(np.float64)

    def check_usable(self, output: Array, truth: Truth) -> None:
        """The study's function says what it can use."""

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        """Nothing but that function tells: `campaign.own_metric`."""
        return {}


TASK = Custom()
