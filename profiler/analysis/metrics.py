"""What a row says of a metric: its value and its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiler.schema.study.metrics import METRICS

Row = Mapping[str, Any]


def value(row: Row, name: str) -> float | None:
    """The metric's value in a row; None when it is missing. Missing is never the best."""
    found = row.get(METRICS[name].column)
    return None if found is None or found != found else float(found)


def bounds(row: Row, name: str) -> tuple[float | None, float | None]:
    """Interval of the metric. A metric without one (file size) is exact: both ends its value."""
    metric = METRICS[name]
    if metric.low is None or metric.high is None:
        exact = value(row, name)
        return exact, exact
    low, high = row.get(metric.low), row.get(metric.high)
    return (
        None if low is None or low != low else float(low),
        None if high is None or high != high else float(high),
    )
