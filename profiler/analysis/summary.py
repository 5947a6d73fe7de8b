"""Latency, throughput and memory of one trial, each with an interval across fresh processes."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from profiler.analysis import gpu, known_failures, noise, placement, start
from profiler.analysis.samples import Samples, Taken
from profiler.schema.plan import Trial

if TYPE_CHECKING:
    from profiler.statistics.intervals import Estimate

ARRIVALS = 100_000
"""Replayed for a goodput: of 20,000 the stream of arrivals alone moves it by a per cent. More than
one lane is replayed query by query, hence fewer."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def summarise(
    trial: Trial, samples: Samples | None, *, adaptive: bool, slo_p99_ns: int | None = None
) -> dict[str, Any]:
    """Columns of the table that need nothing but this trial's own rounds; missing is None.

    A server trial without a rate of its own gets its goodput as `throughput`: the highest rate
    whose p99 keeps `slo_p99_ns`.
    """
    if samples is None or not samples.taken:
        return _failed(samples, trial.provider)
    from profiler.statistics.intervals import quantile_intervals, round_interval

    taken = list(samples.taken.values())
    latencies = [t.latencies for t in taken]
    row: dict[str, Any] = {
        "status": "ok",
        "reason": _failures(samples),
        "rounds": len(taken),
        "queries": sum(len(values) for values in latencies),
    }
    estimates = quantile_intervals(latencies, list(QUANTILES.values()), adaptive=adaptive)
    for name, estimate in zip(QUANTILES, estimates, strict=True):
        row[f"{name}_ns"] = estimate.value
        row[f"{name}_low_ns"], row[f"{name}_high_ns"] = estimate.low, estimate.high
        row[f"{name}_note"] = estimate.note
    rate = round_interval([t.rate(trial.batch) for t in taken], adaptive=adaptive)
    if trial.scenario == "server":
        row["rate"] = trial.rate or _median_rate(taken)
        if trial.rate is None and slo_p99_ns is not None:
            rate = goodput(trial, taken, slo_p99_ns, adaptive=adaptive) or rate
    row.update(throughput=rate.value, throughput_low=rate.low, throughput_high=rate.high)
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
    return row


def _median_rate(taken: list[Taken]) -> float | None:
    rates = [block.rate for one in taken for block in one.repetition.blocks if block.rate]
    return median(rates) if rates else None


def goodput(
    trial: Trial, taken: list[Taken], slo_p99_ns: int, *, adaptive: bool
) -> Estimate | None:
    """Samples a second at the highest Poisson rate whose p99 keeps the limit.

    Each round's measured service times are replayed through a first-come-first-served queue with
    the trial's lanes (Lindley 1952); the interval is over the rounds. None when some round finds
    no rate at all.
    """
    from profiler.statistics.intervals import round_interval
    from profiler.worker.openloop import highest_rate

    rates = [
        highest_rate(
            one.services.tolist(),
            trial.concurrency,
            slo_p99_ns,
            arrivals=ARRIVALS if trial.concurrency == 1 else ARRIVALS // 5,
            seed=number,
        )
        for number, one in enumerate(taken)
        if one.services is not None
    ]
    if not rates or min(rates) <= 0:
        return None
    return round_interval([trial.batch * rate for rate in rates], adaptive=adaptive)


def _median(values: list[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None


def _failures(samples: Samples) -> str | None:
    if not samples.failures:
        return None
    first = samples.failures[0]
    total = len(samples.failures) + len(samples.taken)
    return f"{len(samples.failures)} of {total} repetitions failed: {first.reason}"


def _failed(samples: Samples | None, provider: str) -> dict[str, Any]:
    if samples is None or not samples.failures:
        return {"status": "pending", "reason": "not measured yet"}
    last = samples.failures[-1]
    reason = known_failures.explained(f"{last.reason}: {last.detail}", provider)
    return {"status": "failed", "reason": reason}
