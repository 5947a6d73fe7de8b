"""What a million predictions cost on a target with a price."""

from __future__ import annotations

from profiler.schema.columns import Row, interval_of
from profiler.schema.device.cost import J_A_KWH, Cost

MILLION = 1e6


def columns(cost: Cost | None, served: Row, j_per_sample: float | None, *, spot: bool) -> Row:
    """Columns cost_per_million with its interval, currency, and price, which says what it rests on.

    `served` has the column capacity (samples a second that one process serves); joules a sample
    count where electricity has a price. Empty where the target has none.
    """
    if cost is None:
        return {}
    row: Row = {"currency": cost.currency, "price": cost.in_words(spot=spot)}
    energy = 0.0
    if cost.per_kwh is not None:
        if j_per_sample is None:
            row["cost_note"] = "without electricity: no energy was measured, and no power declared"
        else:
            energy = MILLION * j_per_sample / J_A_KWH * cost.per_kwh

    def of(rate: float) -> float:
        return MILLION / rate / 3600 * cost.hourly(spot=spot) + energy

    rate, ends = served.get("capacity"), interval_of(served, "capacity")
    if not rate:
        row["cost_note"] = served.get("capacity_note") or "nothing was measured"
        return row
    row["cost_per_million"] = of(rate)
    if ends is not None and ends[0] > 0:
        row["cost_per_million_low"], row["cost_per_million_high"] = of(ends[1]), of(ends[0])
    return row
