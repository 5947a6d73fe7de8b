"""Limits: met, missed or undecided, by the interval and not by the point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from profiler.analysis.metrics import bounds, value
from profiler.errors import InputError
from profiler.schema.columns import Row
from profiler.schema.study.measure import Slo
from profiler.schema.study.metrics import METRICS, Metric
from profiler.units import format_duration, format_percent, format_size
from profiler.wire.codec import DecodeError, decode

Outcome = Literal["met", "missed", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit on one trial."""

    limit: str
    outcome: Outcome
    reason: str


def parse_limits(given: Mapping[str, Any], *, own_metric: bool = False) -> Slo:
    """Limits as a person types them, e.g. p99="5ms". Raises InputError.

    own_metric: accuracy is the user's own metric, of any range, and no share.
    """
    try:
        limits = decode(Slo, given)
        if not own_metric:
            limits.check_shares()
        return limits
    except DecodeError as error:
        known = ", ".join(Slo.__dataclass_fields__)
        raise InputError(str(error), hint=error.hint or f"limits: {known}") from None


def limits(slo: Slo) -> dict[str, float]:
    """The limits that are set, by their names in the study."""
    names = [field.name for field in fields(slo)]
    return {name: found for name in names if (found := getattr(slo, name)) is not None}


def _text(metric: Metric, number: float | None) -> str:
    if metric.entry.kind == "duration":
        return format_duration(number)
    if metric.entry.kind == "size":
        return format_size(number)
    if metric.entry.kind == "points" and number is not None:
        return f"{number * 100:.1f} pp"
    return format_percent(number)


def check(row: Row, slo: Slo) -> list[Check]:
    """Every limit on one trial.

    Met: the whole interval keeps the limit; missed: none of it does; otherwise undecided.
    max_drop holds against the most accurate baseline of the study (`gap`), on the same rows.
    """
    return [_check(row, name, number) for name, number in limits(slo).items()]


def _check(row: Row, limit: str, number: float) -> Check:
    metric = next(known for known in METRICS.values() if known.limit == limit)
    measured, (low, high) = value(row, metric.name), bounds(row, metric.name)
    name = limit.removeprefix("max_").removeprefix("min_")
    if measured is None:
        return Check(limit=limit, outcome="undecided", reason=f"{name} was not measured")
    bound = _text(metric, number)
    if low is None or high is None:
        return Check(
            limit=limit,
            outcome="undecided",
            reason=f"{name} {_text(metric, measured)} has no interval to hold against {bound}",
        )
    best, worst = (low, high) if metric.lower_is_better else (high, low)

    def keeps(end: float) -> bool:
        return end <= number if metric.lower_is_better else end >= number

    if keeps(worst):
        return Check(limit=limit, outcome="met", reason=f"{name} {_text(metric, measured)}")
    span = f"{_text(metric, low)} to {_text(metric, high)}"
    if not keeps(best):
        return Check(
            limit=limit, outcome="missed", reason=f"{name} {span} breaks the limit of {bound}"
        )
    return Check(
        limit=limit, outcome="undecided", reason=f"{name} {span} spans the limit of {bound}"
    )


def overall(checks: list[Check]) -> Outcome | None:
    """The worst of all limits; None where no limit is set."""
    if not checks:
        return None
    outcomes = {c.outcome for c in checks}
    if "missed" in outcomes:
        return "missed"
    return "undecided" if "undecided" in outcomes else "met"
