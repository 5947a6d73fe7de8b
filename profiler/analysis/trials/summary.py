"""Latency, load and memory of one trial, each with an interval across fresh processes."""

from __future__ import annotations

from statistics import median
from typing import Any

from profiler.analysis.trials import gpu, known_failures, noise, placement, start
from profiler.analysis.trials.samples import Samples, Taken
from profiler.schema.columns import Row, part_of
from profiler.schema.record.plan import Trial
from profiler.schema.study.measure import Slo
from profiler.wire.scenarios import known

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def summarise(
    trial: Trial, samples: Samples | None, *, adaptive: bool, followed: Slo | None = None
) -> Row:
    """Columns of the table that need nothing but this trial's own rounds; missing is None.

    `followed`: limits that were open when the trial was measured on, which its percentiles with a
    limit pay for as for an early stop (`scripts/simulate_limits`).
    """
    if samples is None or not samples.taken:
        return _failed(samples, trial.provider)
    from profiler.statistics.intervals import quantile_interval, quantile_intervals

    taken = list(samples.taken.values())
    latencies = [t.latencies for t in taken]
    row: dict[str, Any] = {
        "status": "ok",
        "reason": _failures(samples),
        "rounds": len(taken),
        "queries": sum(len(values) for values in latencies),
    }
    estimates = quantile_intervals(latencies, list(QUANTILES.values()), adaptive=adaptive)
    for place, (name, quantile) in enumerate(QUANTILES.items()):
        if not adaptive and getattr(followed, name, None) is not None:
            estimates[place] = quantile_interval(latencies, quantile, adaptive=True)
    for name, estimate in zip(QUANTILES, estimates, strict=True):
        row[f"{name}_ns"] = estimate.value
        row[f"{name}_low_ns"], row[f"{name}_high_ns"] = estimate.low, estimate.high
        row[f"{name}_note"] = estimate.note
    if known(trial.scenario).open_loop:
        row["rate"] = trial.rate or _median_rate(taken)
    row["noise"] = noise.describe([t.repetition for t in taken])
    repetitions = [t.repetition for t in taken]
    row.update(start.columns(repetitions, adaptive=adaptive))
    row["warmup_ns"] = _median([r.warmup_ns for r in repetitions])
    for column in ("imports", "loaded", "first_query", "peak", "pss"):
        values = [getattr(r.memory, f"{column}_bytes") for r in repetitions]
        row[f"memory_{column}_bytes"] = _median(values)
    row.update(placement.summarise(trial, [r.placement for r in repetitions]))
    row.update(gpu.summarise(repetitions))
    row["providers"] = ", ".join(repetitions[0].providers)
    return part_of(row)


def _median_rate(taken: list[Taken]) -> float | None:
    rates = [block.rate for one in taken for block in one.repetition.blocks if block.rate]
    return median(rates) if rates else None


def _median(values: list[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _failures(samples: Samples) -> str | None:
    if not samples.failures:
        return None
    first = samples.failures[0]
    total = len(samples.failures) + len(samples.taken)
    return f"{len(samples.failures)} of {total} repetitions failed: {first.reason}"


def _failed(samples: Samples | None, provider: str) -> Row:
    if samples is None or not samples.failures:
        return {"status": "pending", "reason": "not measured yet"}
    last = samples.failures[-1]
    reason = known_failures.explained(f"{last.reason}: {last.detail}", provider)
    return {"status": "failed", "reason": reason}
