"""Whether a group's intervals are narrow enough, and whose limits more rounds may decide."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

from profiler.analysis.trials.samples import RoundKey, Taken, of_round, paired
from profiler.analysis.trials.summary import QUANTILES
from profiler.schema.record.plan import Group
from profiler.schema.study.measure import Slo
from profiler.wire.messages import Repetition

if TYPE_CHECKING:
    from profiler.analysis.trials.samples import Latencies


SURE = 0.99
"""Confidence at which a limit counts as decided. It is asked after every round, so it is more than
the 95 % at which the results tell it: `scripts/simulate_limits` prints what that makes of them."""


class Convergence:
    """Follows the half-widths of p50 and of p50 against the baseline, trial by trial."""

    def __init__(self, group: Group, precision: float) -> None:
        self._precision = precision
        self._group = group.index
        self._baseline = {t.id: t.baseline for t in group.trials}
        self._p50: dict[str, dict[RoundKey, float]] = {}
        self._same_moment: dict[str, dict[RoundKey, float]] = {}

    def add(self, measured: Iterable[tuple[Repetition, Latencies]]) -> None:
        """Take in the good repetitions of one round."""
        takens = {
            repetition.trial: Taken(repetition=repetition, latencies=latencies)
            for repetition, latencies in measured
        }
        typical = of_round(takens)
        for trial, taken in takens.items():
            key = (self._group, taken.repetition.round)
            self._p50.setdefault(trial, {})[key] = taken.p50_ns()
            self._same_moment.setdefault(trial, {})[key] = typical[trial]

    def half_widths(self, trials: Iterable[str]) -> list[float | None]:
        """One for p50 of each trial and one for its ratio; None while there are too few rounds."""
        from profiler.statistics.intervals import round_interval
        from profiler.statistics.ratio import ratio_interval

        widths: list[float | None] = []
        for trial in trials:
            p50 = self._p50.get(trial, {})
            if not p50:
                widths.append(None)
                continue
            widths.append(round_interval(list(p50.values()), adaptive=True).half_width)
            baseline = self._baseline[trial]
            if trial != baseline and baseline in self._p50:
                a, b = paired(self._same_moment[trial], self._same_moment[baseline])
                widths.append(ratio_interval(a, b, adaptive=True).half_width if a else None)
        return widths

    def widest(self) -> float | None:
        """The widest half-width known so far, as a share."""
        known = [width for width in self.half_widths(self._p50) if width is not None]
        return max(known, default=None)

    def fastest(self, trials: Iterable[str]) -> list[str]:
        """These trials, those with the lowest p50 first."""
        return sorted(trials, key=lambda trial: median(self._p50[trial].values()))

    def reached(self, trials: Iterable[str]) -> bool:
        """Whether every interval of these trials is within the wanted precision."""
        from profiler.statistics.ratio import should_stop

        return should_stop(self.half_widths(trials), self._precision)


class OpenLimits:
    """Follows the limits on p50, p90 and p99, trial by trial."""

    def __init__(self, slo: Slo) -> None:
        limits = {quantile: getattr(slo, name) for name, quantile in QUANTILES.items()}
        self._limits = {quantile: ns for quantile, ns in limits.items() if ns is not None}
        self._latencies: dict[str, list[Latencies]] = {}
        """of trials that are not decided: one array of ns a round"""
        self._decided: set[str] = set()

    def __bool__(self) -> bool:
        """Whether there is any such limit."""
        return bool(self._limits)

    def add(self, trial: str, latencies: Latencies) -> None:
        """Take in the latencies (ns) of one more round of a trial."""
        if self._limits and trial not in self._decided:
            self._latencies.setdefault(trial, []).append(latencies)

    def undecided(self, trials: Iterable[str]) -> list[str]:
        """Those of which some limit may be kept or not, and none is broken; in their order."""
        return [trial for trial in trials if trial in self._latencies and self._open(trial)]

    def _open(self, trial: str) -> bool:
        from profiler.statistics.intervals import quantile_intervals

        found = quantile_intervals(
            self._latencies[trial], list(self._limits), confidence=SURE, adaptive=True
        )
        broken = kept = 0
        for estimate, limit in zip(found, self._limits.values(), strict=True):
            broken += estimate.low is not None and estimate.low > limit
            kept += estimate.high is not None and estimate.high <= limit
        if not broken and kept < len(found):
            return True
        self._decided.add(trial)
        del self._latencies[trial]
        return False
