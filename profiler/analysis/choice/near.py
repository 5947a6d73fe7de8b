"""When nothing is proven to keep all limits: what probably does, and what comes closest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from profiler.analysis.choice.slo import check, limits
from profiler.analysis.metrics import bounds, value
from profiler.schema.columns import Row
from profiler.schema.study.measure import Slo
from profiler.schema.study.metrics import METRICS, Metric

_SIDES = NormalDist().inv_cdf(0.975)
NEEDED_MOST = 1000.0
"""times as many rounds or rows: more is no advice"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trial that may keep every limit."""

    row: Row
    probability: float
    """of keeping all of them, as if they were independent"""
    times: float
    """how many times the rounds (of a latency) or rows (of an accuracy) would decide it, if the
    value stays where it is; infinite where it lies on the limit"""
    open_limit: str
    """the limit that is hardest to decide"""


def candidate(rows: Sequence[Row], slo: Slo) -> Candidate | None:
    """The most probable of the trials that break no limit; None where a limit was not measured for
    any, or has no interval."""
    found = [one for row in rows if (one := _candidate(row, slo)) is not None]
    return max(found, key=lambda one: one.probability, default=None)


def _candidate(row: Row, slo: Slo) -> Candidate | None:
    probability, times, hardest = 1.0, 1.0, ""
    for one in check(row, slo):
        metric = _metric_of(one.limit)
        limit, known = limits(slo)[one.limit], value(row, metric.name)
        low, high = bounds(row, metric.name)
        if one.outcome == "missed" or known is None or low is None or high is None:
            return None
        if one.outcome == "met":
            continue
        distance, half = _on_scale(metric, known, low, high, limit)
        probability *= NormalDist().cdf(distance / (half / _SIDES))
        needed = math.inf if distance == 0 else (half / distance) ** 2
        if needed > times:
            times, hardest = needed, one.limit
    return Candidate(row=row, probability=probability, times=times, open_limit=hardest)


def _on_scale(
    metric: Metric, known: float, low: float, high: float, limit: float
) -> tuple[float, float]:
    """(how far the value is on the good side of the limit, half its interval): of logs where the
    value is positive and no share, as intervals of latencies are made."""
    if metric.entry.kind not in ("share", "points") and min(known, low, limit) > 0:
        known, low, high, limit = map(math.log, (known, low, high, limit))
    side = limit - known if metric.lower_is_better else known - limit
    return side, (high - low) / 2


def _metric_of(limit: str) -> Metric:
    return next(metric for metric in METRICS.values() if metric.limit == limit)


def closest(rows: Sequence[Row], slo: Slo) -> tuple[Row, str, float] | None:
    """(trial, limit, by how much) of the one whose worst limit is broken by least: a share of the
    limit, or a difference where the limit is a share itself. None without a value for any."""
    found: list[tuple[float, Row, str]] = []
    for row in rows:
        worst = [(over, name) for name, over in _overs(row, slo) if over > 0]
        if worst:
            over, name = max(worst)
            found.append((over, row, name))
    if not found:
        return None
    over, row, name = min(found, key=lambda one: one[0])
    return row, name, over


def _overs(row: Row, slo: Slo) -> list[tuple[str, float]]:
    overs = []
    for name, limit in limits(slo).items():
        metric = _metric_of(name)
        known = value(row, metric.name)
        if known is None:
            return []
        over = known - limit if metric.lower_is_better else limit - known
        share = metric.entry.kind in ("share", "points") or limit == 0
        overs.append((name, over if share else over / limit))
    return overs


def in_words(rows: Sequence[Row], slo: Slo) -> str:
    """What to know where nothing is proven: '; best candidate m/int8: ...'. Empty without any."""
    alive = [row for row in rows if row["status"] == "ok" and row["quality"] != "worse"]
    best = candidate(alive, slo)
    if best is not None:
        if not best.open_limit:
            return f"; {best.row['trial']} does, but what it is to be best in was not measured"
        checks = {one.limit: one.reason for one in check(best.row, slo)}
        told = f"; most probable is {best.row['trial']} ({best.probability:.0%}):"
        return f"{told} {checks[best.open_limit]}{_needed(best)}"
    near = closest(alive, slo)
    if near is None:
        return ""
    row, name, over = near
    entry = _metric_of(name).entry
    share = entry.kind in ("share", "points")
    amount = f"{100 * over:.1f} points" if share else f"{100 * over:.0f} %"
    short = name.removeprefix("max_").removeprefix("min_")
    return f"; the closest is {row['trial']}, whose {short} breaks its limit by {amount}"


def _needed(best: Candidate) -> str:
    if not best.times <= NEEDED_MOST:
        return "; more measuring will hardly decide it"
    metric = _metric_of(best.open_limit)
    if metric.entry.kind in ("share", "points"):
        return f"; about {best.times:.1f} times as many labelled rows would decide it"
    rounds = best.row["rounds"]
    if rounds is None:
        return ""
    return f"; about {math.ceil(rounds * (best.times - 1))} more rounds would decide it"
