"""How long a round measures each trial, so that enough rounds fit the budget."""

from __future__ import annotations

from collections.abc import Iterable

from profiler.schema.record.plan import Trial
from profiler.schema.study.measure import MeasureSpec
from profiler.wire.messages import MIN_SEGMENTS, SEGMENT_NS, SEGMENT_QUERIES
from profiler.wire.scenarios import known

START_S = 0.35
"""Start of a runner, load of a small model and least warm-up (measured on a 2-core x86 VM)."""
STRETCH = 1.25
"""Wall time of measuring over what is timed: leads, counters, settling."""
WANTED = 8
"""Rounds that are to fit the budget. With fewer, the t quantile and the bias of each process make
wide intervals; with more and shorter ones, starting them takes the time
(`scripts/reckon_round_time` prints how wide)."""
LEAST_SHARE = 0.4
"""Of `round_time`: a shorter round is mostly starts."""


def seconds(trials: Iterable[Trial], round_time_s: float) -> float:
    """Wall seconds of one round in which each of these trials is measured for so long."""
    return sum(START_S + _measuring_s(trial, round_time_s) for trial in trials)


def _measuring_s(trial: Trial, round_time_s: float) -> float:
    scenario = known(trial.scenario)
    if scenario.fresh:
        return trial.starts * START_S
    least = STRETCH * round_time_s
    if scenario.open_loop:
        segment_s = SEGMENT_NS / 1e9
        if trial.rate is not None:
            segment_s = max(segment_s, SEGMENT_QUERIES / trial.rate)
        return max(least, MIN_SEGMENTS * segment_s)
    return least


def round_time_s(
    trials: Iterable[Trial], measure: MeasureSpec, *, left_s: float, rounds: int
) -> float:
    """Measuring time of each trial such that so many rounds fit what is left; at most
    `measure.round_time`, at least four tenths of it.
    """
    planned = list(trials)
    most = measure.round_time / 1e9
    paced = sum(not known(t.scenario).fresh and not known(t.scenario).open_loop for t in planned)
    if not paced:
        return most
    fits = (left_s / rounds - seconds(planned, 0.0)) / (STRETCH * paced)
    return min(most, max(LEAST_SHARE * most, fits))
