"""Every metric by which trials are ranked, limited and drawn: a new one is an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`column` of the table holds the value, `low` and `high` its interval where there is one."""

    name: str
    column: str
    kind: Literal["duration", "size", "share", "points", "rate", "money"]
    lower_is_better: bool = True
    low: Optional[str] = None
    high: Optional[str] = None
    objective: bool = False
    """whether a study may rank by it"""
    title: str = ""
    """as the axis of a figure; without one it is not drawn"""
    limit: Optional[str] = None
    """the key of [slo] that limits it"""


def _latency(name: str, *, objective: bool = False) -> Metric:
    return Metric(
        name=name, column=f"{name}_ns", kind="duration", low=f"{name}_low_ns",
        high=f"{name}_high_ns", objective=objective, title=f"{name} latency", limit=name,
    )  # fmt: skip


METRICS = {
    metric.name: metric
    for metric in (
        _latency("p50", objective=True),
        _latency("p90"),
        _latency("p99", objective=True),
        Metric(name="accuracy", column="accuracy", kind="share", lower_is_better=False,
               low="accuracy_low", high="accuracy_high", objective=True, title="accuracy",
               limit="min_accuracy"),
        Metric(name="throughput", column="throughput", kind="rate", lower_is_better=False,
               low="throughput_low", high="throughput_high", objective=True, title="throughput"),
        Metric(name="drop", column="drop", kind="points", low="drop_low", high="drop_high"),
        Metric(name="gap", column="gap", kind="points", low="gap_low", high="gap_high",
               limit="max_drop"),
        Metric(name="memory", column="memory_peak_bytes", kind="size", objective=True,
               title="peak memory", limit="memory"),
        Metric(name="size", column="file_bytes", kind="size", objective=True, title="file size"),
        Metric(name="cost", column="usd_per_million", kind="money", objective=True, title="cost"),
    )
}  # fmt: skip
