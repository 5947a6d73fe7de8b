"""Every metric by which trials are ranked, limited and drawn: a new one is an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from profiler.schema.columns import COLUMNS, ColumnEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`column` of the table holds the value, and is one of `COLUMNS`."""

    name: str
    column: str
    lower_is_better: bool = True
    objective: bool = False
    """whether a study may rank by it"""
    title: str = ""
    """as the axis of a figure; without one it is not drawn"""
    limit: Optional[str] = None
    """the key of [slo] that limits it"""

    def __post_init__(self) -> None:
        assert self.column in COLUMNS, self.column

    @property
    def entry(self) -> ColumnEntry:
        """What is known of its column: kind, unit, how a value is told, its interval."""
        return COLUMNS[self.column]


def _latency(name: str, *, objective: bool = False) -> Metric:
    title = f"{name} latency"
    return Metric(name=name, column=f"{name}_ns", objective=objective, title=title, limit=name)


METRICS = {
    metric.name: metric
    for metric in (
        _latency("p50", objective=True),
        _latency("p90"),
        _latency("p99", objective=True),
        Metric(name="accuracy", column="accuracy", lower_is_better=False, objective=True,
               title="accuracy", limit="min_accuracy"),
        Metric(name="throughput", column="throughput", lower_is_better=False, objective=True,
               title="throughput"),
        Metric(name="ratio", column="ratio", title="latency over the baseline's"),
        Metric(name="drop", column="drop"),
        Metric(name="gap", column="gap", limit="max_drop"),
        Metric(name="capacity", column="capacity", lower_is_better=False, objective=True,
               title="capacity"),
        Metric(name="memory", column="memory_peak_bytes", objective=True, title="peak memory",
               limit="memory"),
        Metric(name="size", column="file_bytes", objective=True, title="file size", limit="size"),
        Metric(name="energy", column="energy_j_per_query", objective=True, title="energy",
               limit="energy"),
        Metric(name="cost", column="cost_per_million", objective=True, title="cost",
               limit="cost"),
    )
}  # fmt: skip
