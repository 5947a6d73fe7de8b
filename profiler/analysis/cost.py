"""What a million predictions cost on a target with a price."""

from __future__ import annotations

from profiler.schema.target import Target


def usd_per_million(throughput: float | None, target: Target) -> float | None:
    """Dollars for 10⁶ samples at the measured throughput (samples a second), device kept busy.

    None where the target has no price or nothing was measured.
    """
    if target.cost is None or not throughput:
        return None
    return 1e6 / throughput / 3600 * target.cost.usd_per_hour
