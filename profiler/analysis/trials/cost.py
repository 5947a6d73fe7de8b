"""What a million predictions cost on a target with a price."""

from __future__ import annotations

from profiler.schema.columns import Row
from profiler.schema.device.target import Target


def columns(throughput: float | None, target: Target) -> Row:
    """Columns usd_per_million and price, which says what it rests on: nobody measures a price."""
    cost, dollars = target.cost, usd_per_million(throughput, target)
    price = None
    if cost is not None and dollars is not None:
        price = f"${cost.usd_per_hour:g}/h of {cost.as_of}"
    return {"usd_per_million": dollars, "price": price}


def usd_per_million(throughput: float | None, target: Target) -> float | None:
    """Dollars for 10⁶ samples at the measured throughput (samples a second), device kept busy.

    None where the target has no price or nothing was measured.
    """
    if target.cost is None or not throughput:
        return None
    return 1e6 / throughput / 3600 * target.cost.usd_per_hour
