"""A metric that the user brings: a function beside the study, run on the host when a run ends.

Its results are recorded, so that reading a results folder never runs anybody's code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from profiler.analysis.accuracy import Accuracy
from profiler.analysis.quality import by_metric
from profiler.errors import DataError
from profiler.schema.study import Study
from profiler.sources.torch_export import at
from profiler.sources.user_code import importable, imported

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

RECORD = "metric.json"


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
            judged = _by_mean(found, accuracy)
        else:
            judged = by_metric(
                lambda output, labels: float(score(output, labels)),
                accuracy.outputs, accuracy.labels, accuracy.baselines, accuracy.margin,
                accuracy.seed,
            )  # fmt: skip
    return {trial: {**row, "accuracy_is": text} for trial, row in judged.items()}


def _function(text: str) -> Callable[[Array, Array], Array]:
    """The user's function, its result checked: shape () or (rows,)."""
    where = f'data.metric = "{text}"'
    function = imported(where, text)

    def score(output: Array, labels: Array) -> Array:
        import numpy as np

        try:
            found = np.asarray(function(output, labels), dtype=float)
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


def _by_mean(found: Mapping[str, Array], accuracy: Accuracy) -> dict[str, dict[str, Any]]:
    import numpy as np

    from profiler.statistics.paired import mean_difference_interval
    from profiler.statistics.verdict import interval_verdict

    floats = [trial for trial in found if accuracy.baselines[trial] == trial]
    best = max(floats, key=lambda trial: float(found[trial].mean()), default=None)

    def loss(trial: str, against: str) -> tuple[float, float | None, float | None]:
        if np.array_equal(found[trial], found[against]):
            return 0.0, 0.0, 0.0
        interval = mean_difference_interval(found[against], found[trial])
        return interval.value, interval.low, interval.high

    rows: dict[str, dict[str, Any]] = {}
    for trial, scores in found.items():
        own = mean_difference_interval(scores, np.zeros(len(scores)))
        row: dict[str, Any] = {
            "accuracy": own.value, "accuracy_low": own.low, "accuracy_high": own.high,
        }  # fmt: skip
        if best is not None:
            row.update(zip(("gap", "gap_low", "gap_high"), loss(trial, best), strict=True))
        base = accuracy.baselines[trial]
        if base in found and base != trial:
            drop, low, high = loss(trial, base)
            verdict, needed = interval_verdict(drop, low, high, len(scores), accuracy.margin)
            row.update(
                drop=drop, drop_low=low, drop_high=high, quality=verdict, quality_n_needed=needed
            )
        rows[trial] = row
    return rows
