"""Trials as multiples of the yardstick: what compares however fast the machine was that day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from profiler.analysis.trials.samples import RoundKey, Samples, beside, paired
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial

Multiples = Mapping[str, Mapping[RoundKey, float]]
"""trial -> round -> what it takes over what the yardstick takes at the same moment"""


def multiples(
    trials: Iterable[Trial],
    samples: Mapping[str, Samples],
    yardsticks: Mapping[str, Samples],
    typical: Mapping[str, Mapping[RoundKey, float]],
) -> Multiples:
    """Of the rounds in which a yardstick was measured beside the trial.

    `yardsticks`: target -> its own; `typical`: `samples.at_same_moment` of all samples.
    """
    own: dict[str, list[str]] = {}
    for trial in trials:
        if trial.id in samples:
            own.setdefault(trial.target, []).append(trial.id)
    found: dict[str, dict[RoundKey, float]] = {}
    for target, yardstick in yardsticks.items():
        names = own.get(target, [])
        levels = beside([samples[name] for name in names], typical, yardstick)
        for name in names:
            taken = typical[name]
            found[name] = {key: taken[key] / ns for key, ns in levels.items() if key in taken}
    return found


def columns(per_round: Mapping[RoundKey, float], yardstick: Samples, *, adaptive: bool) -> Row:
    """What the table says of one trial. `per_round`: its multiples, of one round or more."""
    from profiler.statistics.intervals import round_interval
    from profiler.statistics.ratio import ratio_interval

    values = list(per_round.values())
    multiple = ratio_interval(values, [1.0] * len(values), adaptive=adaptive)
    levels, _ = paired(yardstick.p50_by_round(), per_round)
    return {
        "yardsticks": multiple.value,
        "yardsticks_low": multiple.low,
        "yardsticks_high": multiple.high,
        "yardstick_ns": round_interval(levels).value,
    }
