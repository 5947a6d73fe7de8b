"""The metrics a study can name: column, direction, and how an interval is found in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`column` holds the value, `low` and `high` its interval where there is one."""

    name: str
    column: str
    better: Literal["lower", "higher"]
    low: str | None = None
    high: str | None = None


def _latency(name: str) -> Metric:
    return Metric(
        name=name, column=f"{name}_ns", better="lower",
        low=f"{name}_low_ns", high=f"{name}_high_ns",
    )  # fmt: skip


METRICS = {
    metric.name: metric
    for metric in (
        _latency("p50"),
        _latency("p90"),
        _latency("p99"),
        Metric(name="accuracy", column="accuracy", better="higher",
               low="accuracy_low", high="accuracy_high"),
        Metric(name="throughput", column="throughput", better="higher",
               low="throughput_low", high="throughput_high"),
        Metric(name="drop", column="drop", better="lower", low="drop_low", high="drop_high"),
        Metric(name="gap", column="gap", better="lower", low="gap_low", high="gap_high"),
        Metric(name="memory", column="memory_peak_bytes", better="lower"),
        Metric(name="size", column="file_bytes", better="lower"),
        Metric(name="cost", column="usd_per_million", better="lower"),
    )
}  # fmt: skip


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
