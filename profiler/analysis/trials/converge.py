"""Whether a group's intervals are narrow enough to stop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from profiler.analysis.trials.samples import RoundKey, Taken, paired
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

    def add(self, repetition: Repetition, latencies: Latencies) -> None:
        """Take in one good repetition."""
        values = self._p50.setdefault(repetition.trial, {})
        key = (self._group, repetition.round)
        values[key] = Taken(repetition=repetition, latencies=latencies).p50_ns()

    def half_widths(self, trials: Iterable[str]) -> list[float | None]:
        """One for p50 of each trial and one for its ratio; None while there are too few rounds."""
        from profiler.statistics.intervals import round_interval
        from profiler.statistics.ratio import ratio_interval

        found: list[float | None] = []
        for trial in trials:
            own = self._p50.get(trial, {})
            if not own:
                found.append(None)
                continue
            found.append(round_interval(list(own.values()), adaptive=True).half_width)
            baseline = self._baseline[trial]
            if trial != baseline and baseline in self._p50:
                a, b = paired(own, self._p50[baseline])
                found.append(ratio_interval(a, b, adaptive=True).half_width if a else None)
        return found

    def widest(self) -> float | None:
        """The widest half-width known so far, as a share."""
        known = [width for width in self.half_widths(self._p50) if width is not None]
        return max(known, default=None)

    def reached(self, trials: Iterable[str]) -> bool:
        """Whether every interval of these trials is within the wanted precision."""
        from profiler.statistics.ratio import should_stop

        return should_stop(self.half_widths(trials), self._precision)
