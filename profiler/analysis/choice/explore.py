"""What would win under looser limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from profiler.analysis.choice.choose import Choice
from profiler.analysis.choice.slo import limits, text_of
from profiler.analysis.metrics import bounds
from profiler.schema.columns import Row
from profiler.schema.study.measure import Slo
from profiler.schema.study.metrics import METRICS

MOST = 12
"""steps of one limit"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From this value of one limit on, all others as they are, `trial` wins."""

    limit: str
    value: str
    trial: str


def steps(rows: Sequence[Row], slo: Slo, choose: Callable[[Slo], Choice]) -> list[Step]:
    """For each limit that is set, where loosening it changes the winner: at the ends of intervals
    by which a trial comes to keep it. `choose` chooses among the rows under other limits."""
    found: list[Step] = []
    for name, limit in limits(slo).items():
        metric = next(known for known in METRICS.values() if known.limit == name)
        if metric.entry.kind == "money":
            continue  # its currency belongs to it, and is not loosened
        ends = {
            bounds(row, metric.name)[1 if metric.lower_is_better else 0]
            for row in rows
            if row["status"] == "ok"
        }
        known = sorted(end for end in ends if end is not None)
        looser = [end for end in known if (end > limit) == metric.lower_is_better and end != limit]
        winner = choose(slo).trial
        for end in looser if metric.lower_is_better else reversed(looser):
            looser_by: dict[str, Any] = {name: end if isinstance(limit, float) else _upwards(end)}
            won = choose(replace(slo, **looser_by)).trial
            if won is not None and won != winner:
                winner = won
                found.append(Step(limit=name, value=text_of(metric, end), trial=won))
            if sum(step.limit == name for step in found) == MOST:
                break
    return found


def _upwards(value: float) -> int:
    return int(value) + (value != int(value))
