"""Latency, throughput and memory of one trial, each with an interval across fresh processes."""

from __future__ import annotations

from statistics import median
from typing import Any

from profiler.analysis import gpu, placement
from profiler.analysis.samples import Samples
from profiler.schema.plan import Trial

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def summarise(trial: Trial, samples: Samples | None, *, adaptive: bool) -> dict[str, Any]:
    """Columns of the table that need nothing but this trial's own rounds; missing is None."""
    if samples is None or not samples.taken:
        return _failed(samples)
    from profiler.statistics.intervals import quantile_interval, round_interval

    taken = list(samples.taken.values())
    latencies = [t.latencies for t in taken]
    row: dict[str, Any] = {
        "status": "ok",
        "reason": _failures(samples),
        "rounds": len(taken),
        "queries": sum(len(values) for values in latencies),
    }
    for name, q in QUANTILES.items():
        estimate = quantile_interval(latencies, q)
        row[f"{name}_ns"] = estimate.value
        row[f"{name}_low_ns"], row[f"{name}_high_ns"] = estimate.low, estimate.high
        row[f"{name}_note"] = estimate.note
    rate = round_interval([t.rate(trial.batch) for t in taken], adaptive=adaptive)
    row.update(throughput=rate.value, throughput_low=rate.low, throughput_high=rate.high)
    repetitions = [t.repetition for t in taken]
    for column in ("load_ns", "first_query_ns", "warmup_ns"):
        row[column] = _median([getattr(r, column) for r in repetitions])
    for column in ("imports", "loaded", "first_query", "peak", "pss"):
        values = [getattr(r.memory, f"{column}_bytes") for r in repetitions]
        row[f"memory_{column}_bytes"] = _median(values)
    row.update(placement.summarise(trial, [r.placement for r in repetitions]))
    row.update(gpu.summarise(repetitions))
    row["providers"] = ", ".join(repetitions[0].providers)
    return row


def _median(values: list[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _failures(samples: Samples) -> str | None:
    if not samples.failures:
        return None
    first = samples.failures[0]
    total = len(samples.failures) + len(samples.taken)
    return f"{len(samples.failures)} of {total} repetitions failed: {first.reason}"


def _failed(samples: Samples | None) -> dict[str, Any]:
    if samples is None or not samples.failures:
        return {"status": "pending", "reason": "not measured yet"}
    last = samples.failures[-1]
    return {"status": "failed", "reason": f"{last.reason}: {last.detail}"}
