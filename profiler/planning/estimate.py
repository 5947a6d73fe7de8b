"""How long a plan will take, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiler.planning import rounds
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Group
from profiler.schema.study.measure import MeasureSpec


def estimate(
    groups: Iterable[Group], measure: MeasureSpec, targets: Mapping[str, Target]
) -> tuple[float, float, float | None]:
    """(least seconds, most seconds, most dollars or None where no target has a price)."""
    least = most = 0.0
    dollars: float | None = None
    for group in groups:
        first_s = rounds.round_time_s(
            group.trials, measure, left_s=measure.budget / 1e9, rounds=rounds.WANTED
        )
        shortest = measure.min_rounds * rounds.seconds(group.trials, first_s)
        each = rounds.seconds(group.trials, measure.round_time / 1e9)
        longest = min(max(shortest, measure.budget / 1e9 + each), measure.max_rounds * each)
        least, most = least + shortest, most + longest
        cost = targets[group.target].cost
        if cost is not None:
            dollars = (dollars or 0.0) + longest / 3600 * cost.hourly()
    return least, most, dollars
