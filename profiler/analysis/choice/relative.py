"""Trials against each other: paired by round, at the level of the process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from profiler.analysis.choice.choose import Separated
from profiler.analysis.trials.samples import RoundKey, paired
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.statistics.intervals import MINIMUM_ROUNDS
from profiler.statistics.ratio import Comparison, compare_family

Typical = Mapping[str, Mapping[RoundKey, float]]
"""Trial -> round -> ns at a typical moment of that round, see `samples.at_same_moment`."""


def compare_pairs(
    pairs: Iterable[tuple[str, str]],
    typical: Typical,
    *,
    delta: float,
    adaptive: bool,
    unread: int = 0,
) -> dict[tuple[str, str], Comparison]:
    """Ratio and verdict of each (a, b), corrected for the whole family (Holm).

    Pairs with fewer shared rounds than an interval takes are left out. `unread`: further pairs of
    the family, see `compare_family`.
    """
    ratios: dict[str, list[float]] = {}
    names: dict[str, tuple[str, str]] = {}
    for pair in pairs:
        first, second = (typical.get(name, {}) for name in pair)
        a, b = paired(first, second)
        if len(a) >= MINIMUM_ROUNDS:
            key = "\0".join(pair)
            logs = [math.log(x / y) for x, y in zip(a, b, strict=True)]
            names[key], ratios[key] = pair, [math.exp(value) for value in logs]
    if not ratios:
        return {}
    family = compare_family(ratios, delta, adaptive=adaptive, unread=unread)
    return {names[key]: comparison for key, comparison in family.items()}


def against_baseline(
    trials: Iterable[Trial], typical: Typical, *, delta: float, adaptive: bool
) -> dict[str, Row]:
    """Trial id -> ratio columns against its baseline variant in the same configuration."""
    pairs = [(t.id, t.baseline) for t in trials if not t.is_baseline]
    found = compare_pairs(pairs, typical, delta=delta, adaptive=adaptive)
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
    trials: Mapping[str, Trial], typical: Typical, *, delta: float, adaptive: bool
) -> Separated:
    """Whose latency differs from that of the best beyond doubt; of two targets it always does.

    Only the pairs with the best are read, but who is best was told from the same rounds: of equal
    trials the fastest seems to beat the slowest. So the family is all pairs among the best and
    its rivals, and no others: who is further off than a rival is nobody's tie. Simulated by
    `scripts/simulate_verdicts` with 2 to 30 equal trials: an equal one is called different in at
    most 4 % of choices; corrected only for the pairs that are read, in 20 %.
    """

    def apart(best: str, rivals: Sequence[str]) -> set[str]:
        same = [name for name in rivals if trials[name].target == trials[best].target]
        pairs = [(best, name) for name in same]
        found = compare_pairs(
            pairs, typical, delta=delta, adaptive=adaptive,
            unread=_comparable([typical.get(name, {}) for name in same]),
        )  # fmt: skip
        beyond = {b for (_, b), one in found.items() if one.verdict in ("faster", "slower")}
        return beyond | (set(rivals) - set(same))

    return apart


def _comparable(found: Sequence[Mapping[RoundKey, float]]) -> int:
    """How many pairs share the rounds that an interval takes; trials of one group at once."""
    alike = list(Counter(frozenset(rounds) for rounds in found).items())
    pairs = 0
    for number, (rounds, count) in enumerate(alike):
        pairs += count * (count - 1) // 2 * (len(rounds) >= MINIMUM_ROUNDS)
        pairs += sum(
            count * more
            for others, more in alike[number + 1 :]
            if len(rounds & others) >= MINIMUM_ROUNDS
        )
    return pairs
