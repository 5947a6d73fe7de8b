"""Accuracy of a trial on its target, and what was lost against the baseline, paired by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from profiler.statistics.once import Pairs, once
from profiler.statistics.pieces import Rows, equal

if TYPE_CHECKING:
    import numpy.typing as npt

    from profiler.statistics.paired import Interval

    Array = npt.NDArray[Any]


def by_rows(
    right: Mapping[str, Array], baselines: Mapping[str, str], margin: float
) -> dict[str, dict[str, Any]]:
    """Trial -> accuracy columns from boolean (rows,), whether each row is answered right.

    baselines: trial -> its baseline. Accuracy has a Wilson interval. `drop` is paired against the
    trial's own baseline, `gap` against the most accurate baseline of all models
    (statistics.paired.non_inferiority): a choice between models must not hide that one of them is
    poor from the start.
    """
    from profiler.statistics.paired import non_inferiority, proportion_interval

    floats = [trial for trial in right if baselines[trial] == trial]
    counts = once(right, lambda correct: int(correct.sum()))
    best = max(floats, key=counts.__getitem__, default=None)
    interval_of = once(right, lambda correct: proportion_interval(int(correct.sum()), len(correct)))
    judged = Pairs(lambda base, correct: non_inferiority(base, correct, margin))
    columns: dict[str, dict[str, Any]] = {}
    for trial, correct in right.items():
        interval = interval_of[trial]
        row: dict[str, Any] = {
            "accuracy": interval.value,
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
        }
        if best is not None:
            gap = judged(right[best], correct)
            row.update(gap=gap.drop, gap_low=gap.low, gap_high=gap.high)
            if trial == best:
                row.update(gap_low=0.0, gap_high=0.0)
        base = right.get(baselines[trial])
        if base is not None and baselines[trial] != trial:
            verdict = judged(base, correct)
            row.update(
                drop=verdict.drop,
                drop_low=verdict.low,
                drop_high=verdict.high,
                quality=verdict.verdict,
                quality_n_needed=verdict.n_needed,
            )
        columns[trial] = row
    return columns


def majority_share(labels: Array) -> float:
    """Accuracy of always answering the most frequent class: what a model must beat."""
    import numpy as np

    _, counts = np.unique(labels, return_counts=True)
    return float(counts.max() / len(labels))


def by_mean(
    scores: Mapping[str, Array],
    outputs: Mapping[str, Rows],
    baselines: Mapping[str, str],
    margin: float,
) -> dict[str, dict[str, Any]]:
    """Trial -> accuracy columns of the mean of a score per row, higher is better.

    scores: trial -> (rows,), paired by row; t intervals, that of a loss widened where few scores
    changed (statistics.rare). outputs: what they were computed from; equal outputs lose nothing.
    """
    import numpy as np

    from profiler.statistics.paired import mean_difference_interval
    from profiler.statistics.rare import LEAST_CHANGED, unseen

    floats = [trial for trial in scores if baselines[trial] == trial]
    best = max(floats, key=lambda trial: float(scores[trial].mean()), default=None)

    def loss(trial: str, against: str) -> tuple[float, float | None, float | None]:
        if equal(outputs[trial], outputs[against]):
            return 0.0, 0.0, 0.0
        base, variant = scores[against], scores[trial]
        changed = min(int((base != variant).sum()), LEAST_CHANGED)
        more = unseen(changed, len(base), float(base.mean()))
        if changed == 0:
            return 0.0, -more, more
        found = mean_difference_interval(base, variant)
        if found.low is None or found.high is None:
            return found.value, None, None
        return found.value, min(found.low, found.value - more), max(found.high, found.value + more)

    own = {t: mean_difference_interval(v, np.zeros(len(v))) for t, v in scores.items()}
    return _columns(own, loss, best, baselines, margin)


def by_metric(
    metric: Callable[[Array, Array], float],
    values: Mapping[str, Rows],
    truth: Array,
    baselines: Mapping[str, str],
    margin: float,
    seed: int,
    sums: bool = False,
) -> dict[str, dict[str, Any]]:
    """Trial -> accuracy columns of `metric(values, truth)`, higher is better.

    values: trial -> (rows, …), paired by row. BCa bootstrap intervals over rows, also of the loss
    against the trial's baseline (`drop`) and the best of them (`gap`). The verdict is that
    interval against the margin, in units of the metric (statistics.verdict). Where few rows
    changed in a way that the metric feels, the interval of a loss is widened by what they cannot
    rule out (statistics.rare).

    sums: values are what the metric is summed from, so equal ones don't prove equal answers.
    """
    import numpy as np

    from profiler.statistics.paired import bca_interval
    from profiler.statistics.rare import changed_rows, unseen

    floats = [trial for trial in values if baselines[trial] == trial]
    scores = once(
        {trial: values[trial] for trial in floats}, lambda value: metric(np.asarray(value), truth)
    )
    best = max(floats, key=scores.__getitem__, default=None)

    def loss(trial: str, against: str) -> tuple[float, float | None, float | None]:
        return (0.0, 0.0, 0.0) if trial == against else lost(values[against], values[trial])

    @Pairs
    def lost(one: Rows, other: Rows) -> tuple[float, float | None, float | None]:
        base, variant = np.asarray(one), np.asarray(other)
        same = np.array_equal(base, variant, equal_nan=True)
        if same and not sums:
            return 0.0, 0.0, 0.0
        felt = changed_rows(lambda mixed: metric(mixed, truth), base, variant)
        more = unseen(felt, len(truth), metric(base, truth))
        if felt == 0:
            return 0.0, -more, more
        found = bca_interval(
            lambda base, variant, true: metric(base, true) - metric(variant, true),
            [base, variant, truth],
            seed=seed,
        )
        if found.low is None or found.high is None:
            return found.value, None, None
        return (
            found.value,
            min(found.low, found.value - more),
            max(found.high, found.value + more),
        )

    own = once(values, lambda value: bca_interval(metric, [np.asarray(value), truth], seed=seed))
    return _columns(own, loss, best, baselines, margin)


def _columns(
    intervals: Mapping[str, Interval],
    loss: Callable[[str, str], tuple[float, float | None, float | None]],
    best: str | None,
    baselines: Mapping[str, str],
    margin: float,
) -> dict[str, dict[str, Any]]:
    """Trial -> its own interval, its loss against the best and its baseline, and the verdict."""
    from profiler.statistics.verdict import interval_verdict

    rows: dict[str, dict[str, Any]] = {}
    for trial, interval in intervals.items():
        row: dict[str, Any] = {
            "accuracy": interval.value,
            "accuracy_low": interval.low,
            "accuracy_high": interval.high,
        }
        if best is not None:
            row.update(zip(("gap", "gap_low", "gap_high"), loss(trial, best), strict=True))
        base = baselines[trial]
        if base in intervals and base != trial:
            drop, low, high = loss(trial, base)
            verdict, needed = interval_verdict(drop, low, high, interval.n, margin)
            row.update(
                drop=drop, drop_low=low, drop_high=high, quality=verdict, quality_n_needed=needed
            )
        rows[trial] = row
    return rows


def by_sums(
    score: Callable[[Array], float],
    counts: Mapping[str, Array],
    baselines: Mapping[str, str],
    margin: float,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Trial -> accuracy columns of a metric of all rows together, such as F1 or mIoU.

    counts: trial -> (rows, k), what each row adds to the sums that `score` (k,) -> number is made
    of; resampled rows are summed again, and predictions are looked at only once.
    """
    import numpy as np

    first = next(iter(counts.values()), np.zeros((0, 1)))
    rows = np.arange(len(first))
    return by_metric(
        lambda values, _: score(values.sum(axis=0)), counts, rows, baselines, margin, seed,
        sums=True,
    )  # fmt: skip


def named(judged: dict[str, dict[str, Any]], metric: str) -> dict[str, dict[str, Any]]:
    """The same, saying what `accuracy` is."""
    return {trial: {**row, "accuracy_is": metric} for trial, row in judged.items()}


LEAST_ROWS = 30
"""a class in fewer rows makes the intervals of mIoU too narrow: with 9, up to 12.5 % of simulated
verdicts "non-inferior" were false (`scripts/simulate_set_metrics`)"""


def enough(judged: dict[str, dict[str, Any]], rarest: int, rows: int) -> dict[str, dict[str, Any]]:
    """Without a verdict where the rarest class is in a handful of rows: it would be about those."""
    if rarest >= LEAST_ROWS:
        return judged
    needed = -(-rows * LEAST_ROWS // max(1, rarest))
    undecided = {"quality": "undecided", "quality_n_needed": needed}
    return {t: {**row, **undecided} if "quality" in row else row for t, row in judged.items()}
