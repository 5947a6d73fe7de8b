"""A verdict from the interval of a paired loss, for metrics which are no share of right answers."""

from __future__ import annotations

import math

from profiler.statistics.paired import QualityDecision

LEAST_ROWS = 100
"""below it skewed scores make too narrow intervals: 6 % false "non-inferior" at 30 and 50 rows"""


def interval_verdict(
    drop: float, low: float | None, high: float | None, n: int, margin: float
) -> tuple[QualityDecision, int | None]:
    """(verdict, rows that would decide an undecided one) for the 95 % interval of a loss.

    All numbers but `n`, the rows, are in units of the metric. "non-inferior": the whole interval
    is below the margin; "worse": all of it is above; else "undecided". Each end is wrong with
    2.5 % nominally, half of what non_inferiority spends, because intervals of few or skewed rows
    are too narrow (`scripts/simulate_metric_verdict` has the rates). The rows needed assume that
    the width falls with the root of n and the true loss is the observed one, or 0 for a gain.
    """
    if n < LEAST_ROWS:
        return "undecided", LEAST_ROWS
    if low is None or high is None:
        return "undecided", None
    if high < margin:
        return "non-inferior", None
    if low > margin:
        return "worse", None
    reach = high - drop if drop < margin else drop - low
    apart = abs(margin - max(drop, 0.0))
    needed = math.ceil(n * (reach / apart) ** 2) if apart > 0 else None
    return "undecided", None if needed is None else max(needed, n + 1)
