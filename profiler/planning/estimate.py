"""How long a plan will take, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiler.schema.device.target import Target
from profiler.schema.record.plan import Group, Trial
from profiler.schema.study.measure import MeasureSpec
from profiler.wire.messages import MIN_SEGMENTS, SEGMENT_NS, SEGMENT_QUERIES
from profiler.wire.scenarios import known

_START_S = 0.35
"""Start of a runner, load of a small model and least warm-up (measured on a 2-core x86 VM)."""


def round_s(group: Group, measure: MeasureSpec) -> float:
    """Seconds of one round of a group."""
    return sum(_START_S + _measuring_s(trial, measure) for trial in group.trials)


def _measuring_s(trial: Trial, measure: MeasureSpec) -> float:
    scenario = known(trial.scenario)
    if scenario.fresh:
        return trial.starts * _START_S
    least = 1.25 * measure.round_time / 1e9
    if scenario.open_loop:
        segment_s = SEGMENT_NS / 1e9
        if trial.rate is not None:
            segment_s = max(segment_s, SEGMENT_QUERIES / trial.rate)
        return max(least, MIN_SEGMENTS * segment_s)
    return least


def estimate(
    groups: Iterable[Group], measure: MeasureSpec, targets: Mapping[str, Target]
) -> tuple[float, float, float | None]:
    """(least seconds, most seconds, most dollars or None where no target has a price)."""
    least = most = 0.0
    dollars: float | None = None
    for group in groups:
        each = round_s(group, measure)
        shortest = measure.min_rounds * each
        longest = min(max(shortest, measure.budget / 1e9 + each), measure.max_rounds * each)
        least, most = least + shortest, most + longest
        cost = targets[group.target].cost
        if cost is not None:
            dollars = (dollars or 0.0) + longest / 3600 * cost.usd_per_hour
    return least, most, dollars
