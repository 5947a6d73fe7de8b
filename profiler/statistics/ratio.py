"""Comparing two trials round by round, and many comparisons at once.

Everything here takes one positive number per round (a fresh pair of processes), paired by round:
inference is at the level of the process, never of the query (Kalibera & Jones 2013, "Rigorous
benchmarking in reasonable time"). A comparison answers one of four things, and "undecided" comes
with the number of rounds it would take. Ratios are a / b of a cost (latency, memory, energy):
below one, a is *faster*. For a metric where more is better, pass b / a.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from profiler.statistics.centre import Centre, trimmed_freedom, trimmed_mean
from profiler.statistics.intervals import MINIMUM_ROUNDS, Estimate, log_interval, positive_logs

Verdict = Literal["faster", "slower", "equivalent", "undecided"]

DELTA: Final = 0.01
"""A difference of less than 1 % is called equivalent unless the study says otherwise."""
TARGET_HALF_WIDTH: Final = 0.01
MAXIMUM_ROUNDS_FORESEEN: Final = 10_000
POWER: Final = 0.8

Values = Sequence[float] | npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One member of a family of comparisons. The interval is its own; the p-values and the
    verdict are corrected for the whole family, so an interval may exclude one while the verdict
    is still "undecided"."""

    ratio: Estimate
    p_difference: float
    p_equivalence: float
    verdict: Verdict
    rounds_needed: int | None
    slowed: Estimate | None = None
    """Where the ratio depends on the machine's speed: ``ratio`` is that at full speed, and this is
    that in slow moments; the verdict is what both say, or that they don't agree: "undecided"."""
    slowed_share: float | None = None
    """of the time that was slow"""


def ratio_interval(
    a_per_round: Values,
    b_per_round: Values,
    *,
    confidence: float = 0.95,
    adaptive: bool = False,
) -> Estimate:
    """The ratio a / b, paired by round: trimmed mean and t interval on the log scale.

    Both arguments have shape (rounds,), the same unit, and hold one positive number per round,
    for example the geometric mean over blocks. Raises ``ValueError`` on unequal lengths or a
    number that is not positive. ``adaptive`` as in ``round_interval``; trimming starts with
    eight rounds, see ``centre.trimmed_mean``.
    """
    log_ratios = paired_log_ratios(a_per_round, b_per_round)
    return log_interval(log_ratios, trimmed_mean, confidence, adaptive=adaptive)


def paired_log_ratios(a_per_round: Values, b_per_round: Values) -> npt.NDArray[np.float64]:
    """log(a / b) per round, shape (rounds,)."""
    a, b = positive_logs(a_per_round), positive_logs(b_per_round)
    if a.shape != b.shape:
        raise ValueError(f"paired by round: {a.size} rounds of a but {b.size} of b")
    return a - b


def compare(ratio: Estimate, delta: float = DELTA) -> Verdict:
    """The verdict of one ratio a / b.

    "equivalent" when the whole interval lies inside [1 / (1 + delta), 1 + delta] (even if it
    excludes one: a real difference too small to matter), else "faster" or "slower" when the
    interval excludes one, else "undecided". The containment rule with a 95 % interval is the two
    one-sided tests procedure at 2.5 % each (Schuirmann 1987), thus conservative.
    """
    check_delta(delta)
    if ratio.low is None or ratio.high is None:
        return "undecided"
    if ratio.low >= 1.0 / (1.0 + delta) and ratio.high <= 1.0 + delta:
        return "equivalent"
    if ratio.high < 1.0:
        return "faster"
    if ratio.low > 1.0:
        return "slower"
    return "undecided"


def difference_p_value(log_ratios: Values, *, adaptive: bool = False) -> float:
    """Two-sided p of "the ratio is one": trimmed t test over rounds. 1.0 when it cannot be told."""
    centre = _centre(log_ratios)
    return 1.0 if centre is None else centre.p_value(abs(centre.value), adaptive=adaptive)


def equivalence_p_value(
    log_ratios: Values, delta: float = DELTA, *, adaptive: bool = False
) -> float:
    """p of "the ratio is outside the margins": two one-sided tests (Schuirmann 1987), doubled.

    Doubled so that p <= 0.05 says exactly what ``compare`` says: the 95 % interval lies inside
    the margins. 1.0 when it cannot be told.
    """
    check_delta(delta)
    centre = _centre(log_ratios)
    if centre is None:
        return 1.0
    room = math.log1p(delta) - abs(centre.value)
    return centre.p_value(room, adaptive=adaptive)


def rounds_needed(
    log_ratios: Values, delta: float = DELTA, *, confidence: float = 0.95, adaptive: bool = False
) -> int | None:
    """Estimated total rounds after which a verdict is likely (power 80 %), or None.

    Assumes that centre and spread stay what these rounds show; the verdict sought is the nearer
    of the two, "different" (distance |centre|) and "equivalent" (distance log(1 + delta) -
    |centre|). None with fewer than three rounds, without any spread, or beyond 10,000 rounds.
    Never less than the rounds already made. (Normal-theory sample size with t quantiles: Julious
    2004, "Sample sizes for clinical trials with normal data".)
    """
    check_delta(delta)
    logs = np.asarray(log_ratios, dtype=float)
    if logs.size < 3:
        return None
    from scipy.special import stdtrit

    centre = trimmed_mean(logs)
    if not centre.spread_known:
        return None
    effect = abs(centre.value)
    distance = max(effect, math.log1p(delta) - effect)
    spread = centre.error * math.sqrt(logs.size)

    def enough(rounds: int) -> bool:
        freedom, factors = trimmed_freedom(rounds)
        level = (1.0 - confidence) / factors[adaptive]
        reach = stdtrit(freedom, 1.0 - level / 2.0) + stdtrit(freedom, POWER)
        return bool(reach * spread <= distance * math.sqrt(rounds))

    foreseen = range(max(MINIMUM_ROUNDS, logs.size), MAXIMUM_ROUNDS_FORESEEN + 1)
    first = bisect.bisect_left(foreseen, True, key=enough)
    return foreseen[first] if first < len(foreseen) else None


def should_stop(
    half_widths: Sequence[float | None], target_half_width: float = TARGET_HALF_WIDTH
) -> bool:
    """True when every interval is at least as narrow as the target (relative half-widths).

    Call it after every round from the fourth on, with intervals made with ``adaptive=True``:
    looking after each round and stopping at a narrow one is what that correction pays for.
    """
    return bool(half_widths) and all(
        width is not None and width <= target_half_width for width in half_widths
    )


def holm(p_values: Values) -> npt.NDArray[np.float64]:
    """Holm-adjusted p-values in the given order, shape (comparisons,).

    Controls the chance of any false rejection under every dependence (Holm 1979, "A simple
    sequentially rejective multiple test procedure").
    """
    p = _checked_p(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    adjusted = np.empty_like(p)
    adjusted[order] = stepped
    return adjusted


def benjamini_hochberg(p_values: Values) -> npt.NDArray[np.float64]:
    """Adjusted p-values which control the false-discovery rate, for many slices at once.

    Valid for independent or positively dependent tests (Benjamini & Hochberg 1995).
    """
    p = _checked_p(p_values)
    order = np.argsort(p)[::-1]
    stepped = p[order] * p.size / np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(stepped))
    return adjusted


def compare_family(
    ratios_per_round: Mapping[str, Values],
    delta: float = DELTA,
    *,
    confidence: float = 0.95,
    adaptive: bool = False,
    unread: int = 0,
) -> dict[str, Comparison]:
    """Verdicts of a family of comparisons, wrong anywhere with at most 1 - ``confidence``.

    ``ratios_per_round`` maps a name to the ratios a / b, one positive number per round. Each
    comparison carries two hypotheses, "no difference" and "not equivalent", and at most one of
    them can be true; so of 2 m hypotheses at most m are, and Holm's multiplier may count the
    comparisons with a hypothesis left (Shaffer 1986, "Modified sequentially rejective multiple
    test procedures"). A family of one gives exactly ``compare``.

    ``unread`` counts further comparisons of the family whose answer nobody reads: they are not
    made, and count as undecided, which only makes the others more careful. Whoever picks the pair
    to read by its values owes them to all pairs that could have been picked.
    """
    alpha = 1.0 - confidence
    names = list(ratios_per_round)
    logs = [positive_logs(ratios_per_round[name]) for name in names]
    raw = np.array(
        [
            (
                difference_p_value(x, adaptive=adaptive),
                equivalence_p_value(x, delta, adaptive=adaptive),
            )
            for x in logs
        ]
    ).reshape(-1, 2)
    adjusted = _shaffer_pairs(raw, unread)
    ratios = [log_interval(x, trimmed_mean, confidence, adaptive=adaptive) for x in logs]
    verdicts = [
        _verdict(ratio.value, float(different), float(equivalent), alpha)
        for ratio, (different, equivalent) in zip(ratios, adjusted, strict=True)
    ]
    # Holm's multiplier for the last ones to be decided.
    left = max(1, verdicts.count("undecided") + unread)
    family: dict[str, Comparison] = {}
    for name, x, ratio, verdict, (p_difference, p_equivalence) in zip(
        names, logs, ratios, verdicts, adjusted, strict=True
    ):
        needed = rounds_needed(x, delta, confidence=1.0 - alpha / left, adaptive=adaptive)
        if verdict == "undecided" and needed is not None:
            needed = max(needed, x.size + 1)
        family[name] = Comparison(
            ratio=ratio,
            p_difference=float(p_difference),
            p_equivalence=float(p_equivalence),
            verdict=verdict,
            rounds_needed=needed,
        )
    return family


def _verdict(ratio: float, p_difference: float, p_equivalence: float, alpha: float) -> Verdict:
    if p_equivalence <= alpha:
        return "equivalent"
    if p_difference <= alpha:
        return "faster" if ratio < 1.0 else "slower"
    return "undecided"


def check_delta(delta: float) -> None:
    """Raise ``ValueError`` unless ``delta`` is a fraction above 0 and below 1."""
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta = {delta}: expected a fraction between 0 and 1, 0.01 for 1 %")


def _shaffer_pairs(p_values: npt.NDArray[np.float64], unread: int = 0) -> npt.NDArray[np.float64]:
    """Adjust shape (comparisons, 2) where at most one hypothesis of each row can be true."""
    adjusted = np.empty_like(p_values)
    left = [2] * len(p_values)
    open_rows = len(p_values) + unread
    worst = 0.0
    for flat in np.argsort(p_values, axis=None, kind="stable"):
        row, column = divmod(int(flat), 2)
        worst = max(worst, min(1.0, float(p_values[row, column]) * open_rows))
        adjusted[row, column] = worst
        left[row] -= 1
        open_rows -= left[row] == 0
    return adjusted


def _centre(log_ratios: Values) -> Centre | None:
    """None with too few rounds, or without any spread between them."""
    logs = np.asarray(log_ratios, dtype=float)
    if logs.size < MINIMUM_ROUNDS:
        return None
    centre = trimmed_mean(logs)
    return centre if centre.spread_known else None


def _checked_p(p_values: Values) -> npt.NDArray[np.float64]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not bool(np.all((p >= 0.0) & (p <= 1.0))):
        raise ValueError(f"p-values: expected one dimension within [0, 1], got {p_values!r}")
    return p
