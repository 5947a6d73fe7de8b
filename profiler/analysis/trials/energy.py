"""Joules a query of one trial: measured, estimated, or unavailable, and always labelled so."""

from __future__ import annotations

from profiler.analysis.trials.samples import Samples
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial

LEAST_WINDOW_NS = 500_000_000
"""RAPL's counter is off by up to 1 ms at either end of a block. Half a second in blocks of 10 ms
leaves 50 blocks, whose errors of at most 10 % each average to about 1.4 %."""


def columns(
    trial: Trial,
    samples: Samples | None,
    declared_watts: float | None,
    throughput: float | None,
    wall_meter_j: float | None,
) -> Row:
    """energy_j_per_query, energy_label and energy_note. `throughput` is samples a second.

    The user's own meter comes first, then the device's counters, then the declared power times
    the wall time of a query; a power that was not declared is never assumed.
    """
    if samples is None or not samples.taken:
        return {}
    if wall_meter_j is not None:
        return _columns(wall_meter_j, "measured", "the user's meter")
    taken = [t.repetition.energy for t in samples.taken.values()]
    known = [e for e in taken if e.joules is not None]
    window_ns, queries = sum(e.window_ns for e in known), sum(e.queries for e in known)
    reasons = [e.reason for e in taken if e.reason]
    if known and window_ns < LEAST_WINDOW_NS:
        reasons.insert(0, f"{window_ns / 1e6:.0f} ms of measuring are too short for a counter")
    elif known:
        joules = sum(e.joules or 0.0 for e in known) / queries
        whole = "the GPU alone" if known[0].source == "NVML" else "everything on the device counts"
        return _columns(joules, "measured", f"{known[0].source}, {whole}")
    if declared_watts is not None and throughput:
        joules = declared_watts * trial.batch / throughput
        return _columns(joules, "estimated", f"{declared_watts:g} W as declared, all the time")
    return _columns(None, "unavailable", reasons[0] if reasons else "no counter was recorded")


def _columns(joules: float | None, label: str, note: str) -> Row:
    return {"energy_j_per_query": joules, "energy_label": label, "energy_note": note}
