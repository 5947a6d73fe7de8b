"""Whether a group's intervals are narrow enough to stop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from profiler.analysis.trials.samples import RoundKey, Taken, of_round, paired
from profiler.schema.record.plan import Group
from profiler.wire.messages import Repetition

if TYPE_CHECKING:
    from profiler.analysis.trials.samples import Latencies


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

    def reached(self, trials: Iterable[str]) -> bool:
        """Whether every interval of these trials is within the wanted precision."""
        from profiler.statistics.ratio import should_stop

        return should_stop(self.half_widths(trials), self._precision)
