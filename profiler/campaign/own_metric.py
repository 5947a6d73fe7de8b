"""A metric that the user brings: a function beside the study, run on the host when a run ends.

Its results are recorded, so that reading a results folder never runs anybody's code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality.accuracy import Accuracy
from profiler.errors import DataError
from profiler.schema.study.study import Study
from profiler.sources.formats.torch_export import at
from profiler.sources.formats.user_code import importable, imported
from profiler.statistics.pieces import Rows
from profiler.tasks.verdicts import by_mean, by_metric, named

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def check(study: Study) -> None:
    """Import the study's function, before anything is measured. Raises ModelError."""
    if study.data is not None and study.data.metric is not None:
        with importable(study.folder):
            _function(study.data.metric)


def judge(study: Study, accuracy: Accuracy) -> dict[str, dict[str, Any]]:
    """Trial -> accuracy columns by the study's function(outputs, labels), higher is better.

    It gets arrays with one row an example and returns one number an example, of which the mean
    counts (paired t intervals), or one number for all of them (BCa bootstrap over examples).
    Raises DataError or ModelError naming the function.
    """
    text = None if study.data is None else study.data.metric
    if text is None or accuracy.labels is None:
        return {}
    with importable(study.folder):
        score = _function(text)
        found = {t: score(output, accuracy.labels) for t, output in accuracy.outputs.items()}
        if any(value.ndim for value in found.values()):
            judged = by_mean(found, accuracy.outputs, accuracy.baselines, accuracy.margin)
        else:
            judged = by_metric(
                lambda output, labels: float(score(output, labels)),
                accuracy.outputs, accuracy.labels, accuracy.baselines, accuracy.margin,
                accuracy.seed,
            )  # fmt: skip
    return named(judged, text)


def _function(text: str) -> Callable[[Rows, Array], Array]:
    """The user's function, its result checked: shape () or (rows,)."""
    where = f'data.metric = "{text}"'
    function = imported(where, text)

    def score(output: Rows, labels: Array) -> Array:
        import numpy as np

        try:
            found = np.asarray(function(np.asarray(output), labels), dtype=float)
        except (Exception, SystemExit) as error:
            raise DataError(
                f"{where}: the function failed on outputs {output.shape} and labels "
                f"{labels.shape}: {at(error)}"
            ) from None
        if found.shape not in ((), (len(labels),)) or not np.isfinite(found).all():
            got = f"shape {found.shape}" if np.isfinite(found).all() else "NaN or Inf"
            raise DataError(
                f"{where}: expected one finite number, or {len(labels)} of them, one a row; "
                f"got {got}",
                hint="return a float, or an array with one score for each row of outputs",
            )
        return found

    return score
