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
from profiler.units import (
    format_duration,
    format_energy,
    format_money,
    format_percent,
    format_size,
    parse_price,
)
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
    return {
        field.name: parse_price(set_to, "million")[0] if isinstance(set_to, str) else set_to
        for field in fields(slo)
        if (set_to := getattr(slo, field.name)) is not None
    }


def text_of(metric: Metric, number: float | None, currency: str | None = None) -> str:
    """A value of a metric as it stands in a reason."""
    if metric.entry.kind == "duration":
        return format_duration(number)
    if metric.entry.kind == "size":
        return format_size(number)
    if metric.entry.kind == "energy":
        return format_energy(number)
    if metric.entry.kind == "money":
        return format_money(number, currency)
    if metric.entry.kind == "points" and number is not None:
        return f"{number * 100:.1f} pp"
    return format_percent(number)


def check(row: Row, slo: Slo) -> list[Check]:
    """Every limit on one trial.

    Met: the whole interval keeps the limit; missed: none of it does; otherwise undecided.
    max_drop holds against the most accurate baseline of the study (`gap`), on the same rows.
    """
    return [_check(row, name, number, slo) for name, number in limits(slo).items()]


def _check(row: Row, limit: str, number: float, slo: Slo) -> Check:
    if slo.cost is not None and limit == "cost" and (why := _other_currency(row, slo.cost)):
        return Check(limit=limit, outcome="undecided", reason=why)
    metric = next(known for known in METRICS.values() if known.limit == limit)
    measured, (low, high) = value(row, metric.name), bounds(row, metric.name)
    name = limit.removeprefix("max_").removeprefix("min_")

    def told(outcome: Outcome, reason: str) -> Check:
        return Check(limit=limit, outcome=outcome, reason=reason)

    def text(number: float | None) -> str:
        return text_of(metric, number, row["currency"])

    if measured is None:
        return told("undecided", _missing(row, limit) or f"{name} was not measured")
    bound = text(number)
    if low is None or high is None:
        why = f"{name} {text(measured)} has no interval to hold against {bound}"
        return told("undecided", why)
    best, worst = (low, high) if metric.lower_is_better else (high, low)

    def keeps(end: float) -> bool:
        return end <= number if metric.lower_is_better else end >= number

    if keeps(worst):
        return told("met", f"{name} {text(measured)}")
    span = text(low) if low == high else f"{text(low)} to {text(high)}"
    if not keeps(best):
        return told("missed", f"{name} {span} breaks the limit of {bound}")
    return told("undecided", f"{name} {span} spans the limit of {bound}")


def _missing(row: Row, limit: str) -> str | None:
    """Why there is no value to hold against the limit, where the row says so."""
    if limit == "cost":
        return row["cost_note"] or f"no price: --price {row['target']}=0.20USD/h"
    return row["energy_note"] if limit == "energy" else None


def _other_currency(row: Row, limit: str) -> str | None:
    asked, known = parse_price(limit, "million")[1], row["currency"]
    if known in (None, asked):
        return None
    return f"cost is in {known}, its limit in {asked}: no rate of exchange is assumed"


def overall(checks: list[Check]) -> Outcome | None:
    """The worst of all limits; None where no limit is set."""
    if not checks:
        return None
    outcomes = {c.outcome for c in checks}
    if "missed" in outcomes:
        return "missed"
    return "undecided" if "undecided" in outcomes else "met"
