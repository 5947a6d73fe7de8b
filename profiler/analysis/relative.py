"""Trials against each other: paired by round, at the level of the process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from profiler.analysis.samples import Samples, paired
from profiler.schema.plan import Trial
from profiler.statistics.compare import Comparison, compare_family
from profiler.statistics.intervals import MINIMUM_ROUNDS


def log_ratios(first: Samples, second: Samples) -> list[float]:
    """log(p50 of first / p50 of second), one value for every round both took part in."""
    a, b = paired(first.p50_by_round(), second.p50_by_round())
    return [math.log(x / y) for x, y in zip(a, b, strict=True)]


def compare_pairs(
    pairs: Iterable[tuple[str, str]],
    samples: Mapping[str, Samples],
    *,
    delta: float,
    adaptive: bool,
) -> dict[tuple[str, str], Comparison]:
    """p50 ratio and verdict of each (a, b), corrected for the whole family (Holm).

    Pairs with fewer shared rounds than an interval takes are left out.
    """
    ratios: dict[str, list[float]] = {}
    names: dict[str, tuple[str, str]] = {}
    for pair in pairs:
        first, second = (samples.get(name) for name in pair)
        if first is None or second is None:
            continue
        logs = log_ratios(first, second)
        if len(logs) >= MINIMUM_ROUNDS:
            key = "\0".join(pair)
            names[key], ratios[key] = pair, [math.exp(value) for value in logs]
    if not ratios:
        return {}
    family = compare_family(ratios, delta, adaptive=adaptive)
    return {names[key]: comparison for key, comparison in family.items()}


def against_baseline(
    trials: Iterable[Trial], samples: Mapping[str, Samples], *, delta: float, adaptive: bool
) -> dict[str, dict[str, Any]]:
    """Trial id -> ratio columns against its baseline variant in the same configuration."""
    pairs = [(t.id, t.baseline) for t in trials if not t.is_baseline]
    found = compare_pairs(pairs, samples, delta=delta, adaptive=adaptive)
    return {
        trial: {
            "ratio": comparison.ratio.value,
            "ratio_low": comparison.ratio.low,
            "ratio_high": comparison.ratio.high,
            "verdict": comparison.verdict,
            "rounds_needed": comparison.rounds_needed,
        }
        for (trial, _), comparison in found.items()
    }


def separated(
    trials: Mapping[str, Trial],
    samples: Mapping[str, Samples],
    *,
    delta: float,
    adaptive: bool,
) -> Callable[[str, str], bool]:
    """Whether the p50 of two trials differ beyond doubt; trials of two targets always do."""
    measured = [t for t in trials if t in samples and samples[t].taken]
    pairs = [
        (a, b)
        for number, a in enumerate(measured)
        for b in measured[number + 1 :]
        if trials[a].target == trials[b].target
    ]
    found = compare_pairs(pairs, samples, delta=delta, adaptive=adaptive)

    def apart(first: str, second: str) -> bool:
        if trials[first].target != trials[second].target:
            return True
        one = found.get((first, second)) or found.get((second, first))
        return one is not None and one.verdict in ("faster", "slower")

    return apart
