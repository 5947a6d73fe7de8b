"""What a row says of a metric: its value and its interval."""

from __future__ import annotations

from profiler.schema.columns import Row, value_of
from profiler.schema.study.metrics import METRICS


def value(row: Row, name: str) -> float | None:
    """The metric's value in a row; None when it is missing. Missing is never the best."""
    return _number(row, METRICS[name].column)


def bounds(row: Row, name: str) -> tuple[float | None, float | None]:
    """Interval of the metric. A metric without one (file size) is exact: both ends its value."""
    ends = METRICS[name].entry.ends
    if ends is None:
        exact = value(row, name)
        return exact, exact
    low, high = ends
    return _number(row, low), _number(row, high)


def _number(row: Row, column: str) -> float | None:
    known = value_of(row, column)
    return None if known is None or known != known else float(known)
