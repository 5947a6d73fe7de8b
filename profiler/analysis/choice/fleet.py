"""How many machines serve a load, and what they cost a month.

A machine runs one such process, as it was measured: nothing is said of several side by side. Its
capacity is that at random arrivals within the limit on p99 (`trials/rate.py`); machines are told
for the low end of its interval, which can be relied on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiler.analysis.choice import slo as limits
from profiler.analysis.metrics import bounds, value
from profiler.schema.columns import Row
from profiler.schema.device.cost import HOURS_A_MONTH, J_A_KWH, Cost
from profiler.schema.study.measure import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One trial's way to serve the load."""

    trial: str
    target: str
    capacity: float
    """samples a second of one machine"""
    machines: int
    machines_least: int
    """at the high end of the capacity's interval"""
    monthly: float | None
    """of the machines that can be relied on, with electricity; None without a price"""
    monthly_least: float | None
    currency: str | None
    price: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What serves the load, the cheapest first, and what does not."""

    load: float
    """samples a second"""
    deployments: tuple[Deployment, ...]
    rejected: tuple[tuple[str, str], ...]
    """(trial, why not)"""
    reason: str
    """why the first one, or why none"""

    @property
    def chosen(self) -> Deployment | None:
        """The cheapest, where one can be named."""
        return self.deployments[0] if self.deployments and not self._apart else None

    @property
    def _apart(self) -> bool:
        return len({(d.currency, (d.currency and "") or d.target) for d in self.deployments}) > 1


def plan(
    rows: Sequence[Row],
    slo: Slo,
    costs: Mapping[str, Cost],
    load: float,
    *,
    budget: tuple[float, str] | None = None,
    spot: bool = False,
) -> Fleet:
    """Machines for `load` samples a second, of each trial that keeps all limits.

    `budget` is an amount a month with its currency. Prices in several currencies are not compared,
    nor are machines of several kinds where one has no price: then none is the cheapest.
    """
    kept: list[Deployment] = []
    rejected: list[tuple[str, str]] = []
    for row in rows:
        made = _deployment(row, slo, costs.get(row["target"]), load, spot=spot)
        if isinstance(made, str):
            rejected.append((row["trial"], made))
        elif why := _beyond(made, budget):
            rejected.append((row["trial"], why))
        else:
            kept.append(made)
    kept.sort(key=lambda d: (d.monthly if d.monthly is not None else math.inf, d.machines,
                             -d.capacity))  # fmt: skip
    found = Fleet(load=load, deployments=tuple(kept), rejected=tuple(rejected), reason="")
    return Fleet(load=load, deployments=tuple(kept), rejected=tuple(rejected),
                 reason=_reason(found))  # fmt: skip


def _deployment(
    row: Row, slo: Slo, cost: Cost | None, load: float, *, spot: bool
) -> Deployment | str:
    """The way to serve the load, or why there is none."""
    if row["status"] != "ok":
        return f"{row['status']}: {row['reason']}"
    if row["quality"] == "worse":
        return "worse than its baseline"
    checks = limits.check(row, slo)
    outcome = limits.overall(checks)
    if outcome in ("missed", "undecided"):
        return "; ".join(check.reason for check in checks if check.outcome == outcome)
    capacity, (low, high) = value(row, "capacity"), bounds(row, "capacity")
    if not capacity:
        return row["capacity_note"] or "its capacity was not measured"
    if not low or high is None:
        return "its capacity has no interval: too few rounds"
    most, least = math.ceil(load / low), math.ceil(load / high)
    joules = row["energy_j_per_query"]
    watts = None if joules is None else load * joules / row["batch"]

    def monthly(machines: int) -> float | None:
        if cost is None:
            return None
        electricity = 0.0
        if cost.per_kwh is not None and watts is not None:
            electricity = watts * HOURS_A_MONTH * 3600 / J_A_KWH * cost.per_kwh
        return machines * HOURS_A_MONTH * cost.hourly(spot=spot) + electricity

    return Deployment(
        trial=row["trial"], target=row["target"], capacity=capacity, machines=most,
        machines_least=least, monthly=monthly(most), monthly_least=monthly(least),
        currency=None if cost is None else cost.currency, price=row["price"],
    )  # fmt: skip


def _beyond(made: Deployment, budget: tuple[float, str] | None) -> str | None:
    if budget is None:
        return None
    amount, currency = budget
    if made.monthly is None or made.monthly_least is None:
        return f"no price to hold against the budget: --price {made.target}=0.20{currency}/h"
    if made.currency != currency:
        return f"its price is in {made.currency}, the budget in {currency}"
    if made.monthly <= amount:
        return None
    word = "breaks" if made.monthly_least > amount else "may break"
    span = f"{made.monthly_least:.0f} to {made.monthly:.0f} {currency} a month"
    return f"{span} {word} the budget of {amount:g}"


def _reason(found: Fleet) -> str:
    if not found.deployments:
        return "nothing that keeps every limit serves this load"
    if found.chosen is not None:
        priced = found.chosen.monthly is not None
        return "lowest monthly cost" if priced else "fewest machines; it has no price"
    currencies = sorted({d.currency for d in found.deployments if d.currency})
    if len(currencies) > 1:
        return f"prices are in {' and '.join(currencies)}, which are not compared: --target one"
    return "machines of several kinds compare by price alone: give one to each with --price"
