"""Whether predictions have the shape that their task is judged by, before they are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import Rows
from profiler.tasks.task import Truth, task_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def check(outputs: Mapping[str, Rows], spec: DataSpec, labels: Array | None) -> None:
    """Judge the first row, as all will be. Raises DataError where the shape does not allow it.

    outputs: name -> (rows, ...), the judged ones among them; labels: those of these rows.
    """
    import numpy as np

    task = task_of(spec.task)
    try:
        named = spec.named or (next(iter(outputs)),)
        first = [np.asarray(outputs[name][:1]) for name in named]
        output = first[0] if len(first) == 1 else task.joined(first)
        truth = Truth(spec=spec, labels=None if labels is None else labels[:1])
        task.check_usable(output, truth)
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(
            f"data.task: {spec.task} can't be judged by these outputs: {error}"
        ) from None
