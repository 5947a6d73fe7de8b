"""Trials against each other: paired by round, at the level of the process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from profiler.analysis.choice.across import welch_ratio
from profiler.analysis.choice.choose import Separated
from profiler.analysis.trials.samples import RoundKey
from profiler.analysis.trials.speeds import Speeds
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.statistics.intervals import MINIMUM_ROUNDS
from profiler.statistics.ratio import Comparison, compare_family, ratio_interval

Typical = Mapping[str, Mapping[RoundKey, float]]
"""Trial -> round -> ns at a typical moment of that round, see `samples.at_same_moment`."""


def compare_pairs(
    pairs: Iterable[tuple[str, str]],
    typical: Typical,
    *,
    delta: float,
    adaptive: bool,
    unread: int = 0,
    speeds: Speeds | None = None,
) -> dict[tuple[str, str], Comparison]:
    """Ratio and verdict of each (a, b), corrected for the whole family (Holm).

    Pairs with fewer shared rounds than an interval takes are left out. `unread`: further pairs of
    the family, see `compare_family`. Where the ratio depends on which of its `speeds` the machine
    has, that at full speed and that in slow moments are two members of the family.
    """
    asked = list(pairs)
    logs = {pair: _logs(pair, typical) for pair in asked}
    logs = {pair: values for pair, values in logs.items() if len(values) >= MINIMUM_ROUNDS}
    told = {} if speeds is None else _unequal(list(logs), speeds)
    family = {("", *pair): values for pair, values in logs.items()}
    for pair, (at_full_speed, when_slowed) in told.items():
        family[("", *pair)], family[("slowed", *pair)] = at_full_speed, when_slowed
    if not family:
        return {}
    ratios = {"\0".join(key): np.exp(list(values.values())) for key, values in family.items()}
    found = compare_family(ratios, delta, adaptive=adaptive, unread=unread)
    compared = {pair: found["\0".join(("", *pair))] for pair in logs}
    for pair in told:
        assert speeds is not None
        full, slowed = compared[pair], found["\0".join(("slowed", *pair))]
        groups = {group for group, _ in logs[pair]}
        compared[pair] = replace(
            full,
            verdict=full.verdict if full.verdict == slowed.verdict else "undecided",
            slowed=slowed.ratio,
            slowed_share=max(speeds.shares.get(group, 0.0) for group in groups),
        )
    return compared


def _logs(pair: tuple[str, str], typical: Typical) -> dict[RoundKey, float]:
    """Round -> log ratio, of the rounds that have both."""
    first, second = (typical.get(name, {}) for name in pair)
    return {key: math.log(first[key] / second[key]) for key in first if key in second}


def _unequal(
    pairs: Sequence[tuple[str, str]], speeds: Speeds
) -> dict[tuple[str, str], tuple[dict[RoundKey, float], dict[RoundKey, float]]]:
    """Pairs whose ratio differs between the machine's speeds beyond doubt -> its logs at both.

    Told from the rounds that saw both, where there are enough: the biases of processes cancel.
    """
    both = {pair: (_logs(pair, speeds.full), _logs(pair, speeds.slowed)) for pair in pairs}
    both = {p: parts for p, parts in both.items() if min(map(len, parts)) >= MINIMUM_ROUNDS}
    confidence = 1 - 0.05 / max(1, len(both))
    unequal = {}
    for pair, (full, slowed) in both.items():
        shared = [key for key in full if key in slowed]
        if len(shared) >= MINIMUM_ROUNDS:
            ratios = np.exp([full[key] for key in shared]), np.exp([slowed[k] for k in shared])
            apart = ratio_interval(*ratios, confidence=confidence)
        else:
            apart = welch_ratio([*full.values()], [*slowed.values()], confidence=confidence)
        if apart.low is not None and apart.high is not None and not apart.low <= 1 <= apart.high:
            unequal[pair] = (full, slowed)
    return unequal


def against_baseline(
    trials: Iterable[Trial],
    typical: Typical,
    *,
    delta: float,
    adaptive: bool,
    speeds: Speeds | None = None,
) -> dict[str, Row]:
    """Trial id -> ratio columns against its baseline variant in the same configuration."""
    pairs = [(t.id, t.baseline) for t in trials if not t.is_baseline]
    found = compare_pairs(pairs, typical, delta=delta, adaptive=adaptive, speeds=speeds)
    return {trial: _columns(comparison) for (trial, _), comparison in found.items()}


def _columns(comparison: Comparison) -> Row:
    ratio, slowed = comparison.ratio, comparison.slowed
    return {
        "ratio": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "ratio_slowed": None if slowed is None else slowed.value,
        "ratio_slowed_low": None if slowed is None else slowed.low,
        "ratio_slowed_high": None if slowed is None else slowed.high,
        "verdict": comparison.verdict,
        "rounds_needed": comparison.rounds_needed,
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
