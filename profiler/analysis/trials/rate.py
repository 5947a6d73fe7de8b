"""Samples a second of one trial, and what rests on them: a goodput goes by the limit it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.analysis.trials import cost, energy
from profiler.analysis.trials.samples import Samples, Taken
from profiler.schema.columns import Row
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.units import format_duration
from profiler.wire.scenarios import known

if TYPE_CHECKING:
    from profiler.statistics.intervals import Estimate

ARRIVALS = 100_000
"""Replayed for a goodput: of 20,000 the stream of arrivals alone moves it by a per cent. More than
one lane is replayed query by query, hence fewer."""
DRIVEN = "samples/s are the rate that was driven, not a goodput"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The columns throughput, energy and cost of the trials of one folder."""

    samples: Mapping[str, Samples]
    targets: Mapping[str, Target]
    wall_meter: Mapping[str, float]
    """trial -> joules a query from the user's own meter"""
    adaptive: bool
    spot: bool = False
    """rented machines at their spot price, where one is declared"""

    def columns(self, trial: Trial, p99_ns: int | None) -> Row:
        """Columns of one trial whose goodput, if it has one, keeps p99 at `p99_ns`."""
        taken, target = self.samples.get(trial.id), self.targets[trial.target]
        found = throughput(trial, taken, adaptive=self.adaptive, slo_p99_ns=p99_ns)
        rate, joules = found.get("throughput"), self.wall_meter.get(trial.id)
        used = energy.columns(trial, taken, target.declares.watts, rate, joules)
        serves = capacity(trial, taken, found, adaptive=self.adaptive, slo_p99_ns=p99_ns)
        each = used.get("energy_j_per_query")
        j_per_sample = None if each is None else each / trial.batch
        return {
            **found, **serves, **used,
            **cost.columns(target.cost, serves, j_per_sample, spot=self.spot),
        }  # fmt: skip

    def at(self, p99_ns: int | None, rows: Sequence[Row], trials: Mapping[str, Trial]) -> list[Row]:
        """The rows, each goodput and capacity at this limit instead of the one it was made for."""
        return [
            {**row, **self.columns(trials[row["trial"]], p99_ns)}
            if row["status"] == "ok" and _by_limit(trials[row["trial"]])
            else row
            for row in rows
        ]


def _seeks(trial: Trial) -> bool:
    """Whether no rate was asked, and the highest is looked for; its study has a limit on p99."""
    return known(trial.scenario).open_loop and trial.rate is None


def _by_limit(trial: Trial) -> bool:
    """Whether what it serves depends on the limit on p99."""
    return known(trial.scenario).replayed or _seeks(trial)


def capacity(
    trial: Trial, samples: Samples | None, found: Row, *, adaptive: bool, slo_p99_ns: int | None
) -> Row:
    """Samples a second that one process serves when queries come at random times, with p99 within
    the limit: what a machine is paid for. `found` has the throughput.

    Without a limit, and where batches wait to be full, it is the throughput; a trial that was
    driven at a rate of its own serves that rate.
    """
    if samples is None or not samples.taken:
        return {}
    scenario, plain = known(trial.scenario), found.get("throughput_note") is None
    if scenario.fresh:
        return {"capacity_note": "cold starts serve nothing"}
    if scenario.replayed and slo_p99_ns is not None:
        taken = list(samples.taken.values())
        rate = goodput(trial, taken, slo_p99_ns, adaptive=adaptive)
        if rate is None:
            limit = format_duration(slo_p99_ns)
            return {"capacity_note": f"in some round no rate keeps p99 ≤ {limit}"}
        return {"capacity": rate.value, "capacity_low": rate.low, "capacity_high": rate.high}
    if not plain:
        return {"capacity_note": found.get("throughput_note")}
    note = None if scenario.open_loop or slo_p99_ns else "no limit on p99: always busy"
    return {
        "capacity": found.get("throughput"), "capacity_low": found.get("throughput_low"),
        "capacity_high": found.get("throughput_high"), "capacity_note": note,
    }  # fmt: skip


def throughput(
    trial: Trial, samples: Samples | None, *, adaptive: bool, slo_p99_ns: int | None
) -> Row:
    """Samples a second as a column, with its interval and a note; empty when nothing was measured.

    An open-loop trial without a rate of its own gets its goodput: the highest rate whose p99 keeps
    `slo_p99_ns`. Where there is none, the note says why the driven rate stands there.
    """
    if samples is None or not samples.taken:
        return {}
    from profiler.statistics.intervals import round_interval

    taken, note = list(samples.taken.values()), None
    rate = round_interval([t.rate(trial.batch) for t in taken], adaptive=adaptive)
    if _seeks(trial) and slo_p99_ns is not None:
        found = goodput(trial, taken, slo_p99_ns, adaptive=adaptive)
        if found is None:
            note = f"{DRIVEN}: in some round no rate keeps p99 ≤ {format_duration(slo_p99_ns)}"
        rate = found or rate
    return {"throughput": rate.value, "throughput_low": rate.low, "throughput_high": rate.high,
            "throughput_note": note}  # fmt: skip


def goodput(
    trial: Trial, taken: list[Taken], slo_p99_ns: int, *, adaptive: bool
) -> Estimate | None:
    """Samples a second at the highest Poisson rate whose p99 keeps the limit.

    Each round's measured service times are replayed through a first-come-first-served queue with
    the trial's lanes (Lindley 1952); the interval is over the rounds. None when some round finds
    no rate at all.
    """
    from profiler.statistics.intervals import round_interval
    from profiler.wire.queueing import highest_rate

    rates = [
        highest_rate(
            services.tolist(),
            trial.concurrency,
            slo_p99_ns,
            arrivals=ARRIVALS if _seeks(trial) and trial.concurrency == 1 else ARRIVALS // 5,
            seed=number,
        )
        for number, one in enumerate(taken)
        if (services := one.latencies if known(trial.scenario).replayed else one.services)
        is not None
    ]
    if not rates or min(rates) <= 0:
        return None
    return round_interval([trial.batch * rate for rate in rates], adaptive=adaptive)
