"""Accuracy of a variant against its baseline, both answering the same examples.

Only the examples on which the two disagree tell anything (McNemar 1947), so a paired test needs
a fraction of the examples of an unpaired one: some 2,000 instead of 23,000 for a margin of one
point at 3 % disagreement. Drops are fractions (0.01 is one point), positive when the variant loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from profiler.statistics.binomial import binomial

QualityDecision = Literal["non-inferior", "worse", "undecided"]

POWER: Final = 0.8
NUISANCE_RISK: Final = 0.001
"""Error spent on bounding the unknown rate of disagreement (Berger & Boos 1994)."""
NUISANCE_POINTS: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its interval; ``low`` and ``high`` are both None when none can be given."""

    value: float
    low: float | None
    high: float | None
    n: int
    method: str
    confidence: float = 0.95
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityVerdict:
    """The answer of ``non_inferiority``; all rates are fractions of ``n`` examples.

    ``lost`` examples only the baseline got right, ``gained`` only the variant. ``drop`` is
    (lost - gained) / n with its Tango interval [``low``, ``high``]. ``real_drop`` says that the
    loss is significantly above zero, whatever the margin. ``n_needed`` is given for "undecided".
    """

    verdict: QualityDecision
    n: int
    lost: int
    gained: int
    drop: float
    low: float
    high: float
    margin: float
    confidence: float
    p_non_inferior: float
    p_worse: float
    p_mcnemar: float
    real_drop: bool
    n_needed: int | None
    note: str


def non_inferiority(
    correct_baseline: npt.ArrayLike,
    correct_variant: npt.ArrayLike,
    margin: float,
    *,
    confidence: float = 0.95,
) -> QualityVerdict:
    """Is the variant's accuracy less than ``margin`` below the baseline's?

    Two boolean arrays of shape (n,), one entry per example in the same order, and a margin named
    before the run (0.01 is one point). Each decision is wrong with at most 1 - ``confidence``:

    - "non-inferior": a drop of ``margin`` or more is ruled out, one-sided.
    - "worse": a drop of ``margin`` or less is ruled out, one-sided.
    - "undecided": neither. A drop may still be proven to exist (``real_drop``) without being
      proven to exceed the margin; calling that "worse" would answer another question than the
      study asked, so it is flagged instead. A "non-inferior" variant can have a real drop too.

    The test is the score test of Tango (1998) with exact probabilities (``exact_margin_p``):
    its asymptotic form lets up to 6 % through where all disagreement is loss. Identical answers
    are non-inferior from the rule of three on: (1 - margin)^n <= 0.049, 301 examples for 1 %.
    Raises ``ValueError`` for unequal shapes, no examples, values that are not boolean, or a
    margin outside (0, 1).
    """
    if not 0.0 < margin < 1.0:
        raise ValueError(f"margin = {margin}: expected a fraction in (0, 1), 0.01 for one point")
    alpha = _alpha(confidence)
    n, lost, gained = discordance(correct_baseline, correct_variant)
    p_non_inferior = exact_margin_p(lost, gained, n, margin)
    p_worse = exact_margin_p(gained, lost, n, -margin)
    p_mcnemar = mcnemar_exact(lost, gained)
    verdict: QualityDecision = "undecided"
    if p_non_inferior <= alpha:
        verdict = "non-inferior"
    elif p_worse <= alpha:
        verdict = "worse"
    real_drop = lost > gained and p_mcnemar <= alpha
    needed, assumed = None, ""
    if verdict == "undecided":
        needed, assumed = _examples_to_decide(lost, gained, n, margin, confidence)
    real = "a real drop" if real_drop else "no drop proven"
    low, high = _tango_limits(lost, gained, n, alpha)
    return QualityVerdict(
        verdict=verdict,
        n=n,
        lost=lost,
        gained=gained,
        drop=(lost - gained) / n,
        low=low,
        high=high,
        margin=margin,
        confidence=confidence,
        p_non_inferior=p_non_inferior,
        p_worse=p_worse,
        p_mcnemar=p_mcnemar,
        real_drop=real_drop,
        n_needed=needed,
        note=f"{real}; {assumed}" if assumed else real,
    )


def discordance(
    correct_baseline: npt.ArrayLike, correct_variant: npt.ArrayLike
) -> tuple[int, int, int]:
    """(n, examples only the baseline got right, examples only the variant got right)."""
    a, b = np.asarray(correct_baseline), np.asarray(correct_variant)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"expected two arrays of one shape (n,), got {a.shape} and {b.shape}")
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"expected boolean arrays (right or wrong), got {a.dtype} and {b.dtype}")
    return a.size, int(np.sum(a & ~b)), int(np.sum(b & ~a))


def tango_interval(lost: int, gained: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Score interval of the paired difference (lost - gained) / n.

    Tango 1998, "Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design". It covers 94 to 96 % from some ten expected disagreements on; with
    fewer, Newcombe's paired interval is wider still (``scripts/simulate_accuracy`` has both).
    """
    _check_counts(lost, gained, n)
    low, high = _tango_limits(lost, gained, n, _alpha(confidence))
    return Interval(
        value=(lost - gained) / n,
        low=low,
        high=high,
        n=n,
        method="Tango score",
        confidence=confidence,
    )


def exact_margin_p(
    lost: int, gained: int, n: int, margin: float, nuisance_risk: float = NUISANCE_RISK
) -> float:
    """p of "the drop is ``margin`` or more": small values show that it is less.

    Exact unconditional test which orders the outcomes by Tango's score statistic and takes the
    worst rate of disagreement within its 1 - ``nuisance_risk`` interval, below which no p falls
    (Berger & Boos 1994, "P values maximized over a confidence set for the nuisance parameter";
    Hsueh, Liu & Chen 2001, "Unconditional exact tests for equivalence or noninferiority for paired
    binary endpoints"). Counts swapped and margin negated: p of "the drop is ``margin`` or less".
    """
    _check_counts(lost, gained, n)
    from scipy.special import bdtr, betaincinv

    observed = float(_tango_z(np.array(lost), np.array(gained), n, margin)) + 1e-9
    moved = lost + gained
    tail = nuisance_risk / 2.0
    low = float(betaincinv(moved, n - moved + 1, tail)) if moved > 0 else 0.0
    high = float(betaincinv(moved + 1, n - moved, 1.0 - tail)) if moved < n else 1.0
    rates = np.linspace(max(low, abs(margin)), max(high, abs(margin)), NUISANCE_POINTS)
    gain = (rates - margin) / 2.0
    loss = (rates + margin) / 2.0
    most = float(gain.max())
    # Eight standard deviations: what lies beyond is below 1e-12.
    c = np.arange(min(n, int(n * most + 8.0 * math.sqrt(n * most) + 20.0)) + 1)

    # For every count of gains the largest count of losses that is at least as convincing.
    below, above = np.full(c.size, -1), n - c + 1
    while bool(np.any(above - below > 1)):
        middle = (below + above) // 2
        convincing = _tango_z(np.maximum(middle, 0), c, n, margin) <= observed
        below = np.where(convincing, middle, below)
        above = np.where(convincing, above, middle)
    share = loss[:, None] / np.maximum(1.0 - gain[:, None], 1e-300)
    chance = np.where(
        below >= 0, bdtr(np.maximum(below, 0), n - c, np.minimum(share, 1.0)), 0.0
    ) * binomial(c, n, gain[:, None])
    return min(1.0, float(chance.sum(axis=1).max()) + nuisance_risk)


def mcnemar_exact(lost: int, gained: int) -> float:
    """Exact two-sided p of "no difference": a fair coin among the disagreements (McNemar 1947)."""
    from scipy.special import bdtr

    return min(1.0, 2.0 * float(bdtr(min(lost, gained), lost + gained, 0.5)))


def examples_needed(
    discordant_rate: float,
    margin: float,
    *,
    drop: float = 0.0,
    confidence: float = 0.95,
    power: float = POWER,
) -> int | None:
    """Examples after which a true ``drop`` is told apart from ``margin`` with this power.

    n = (z_confidence sqrt(V0) + z_power sqrt(V1))^2 / (margin - drop)^2, one-sided, where V1 is
    the variance of a pair at the true drop and V0 that at the margin (Nam 1997, "Establishing
    equivalence of two treatments and sample size requirements in matched-pairs design"); never
    less than the rule of three asks of identical answers. With V1 in both places the formula
    gives 1,855 for 3 % disagreement and one point, but the power there is 77 %, not 80 %.
    Decides for "worse" when the drop exceeds the margin; None when they are equal.
    """
    from scipy.special import ndtri

    if math.isclose(drop, margin):
        return None
    if not abs(drop) <= discordant_rate <= 1.0:
        raise ValueError(f"a drop of {drop} needs that much disagreement, got {discordant_rate}")
    alpha = _alpha(confidence) - NUISANCE_RISK
    lost, gained = (discordant_rate + drop) / 2.0, (discordant_rate - drop) / 2.0
    null = float(_null_variance(np.array(lost), np.array(gained), 1, margin))
    true = discordant_rate - drop**2
    reach = float(ndtri(1.0 - alpha)) * math.sqrt(null) + float(ndtri(power)) * math.sqrt(true)
    least = math.log(alpha) / math.log1p(-margin)
    return math.ceil(max((reach / (margin - drop)) ** 2, least))


def proportion_interval(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927; Brown, Cai & DasGupta 2001)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n}: expected 0 <= successes <= n and n > 0")
    from scipy.special import ndtri

    z, share = float(ndtri((1.0 + confidence) / 2.0)), successes / n
    middle = (share + z**2 / (2.0 * n)) / (1.0 + z**2 / n)
    half = z / (1.0 + z**2 / n) * math.sqrt(share * (1.0 - share) / n + (z / (2.0 * n)) ** 2)
    return Interval(
        value=share,
        low=max(0.0, middle - half) if successes else 0.0,
        high=min(1.0, middle + half) if successes < n else 1.0,
        n=n,
        method="Wilson score",
        confidence=confidence,
    )


def mean_difference_interval(
    baseline: npt.ArrayLike, variant: npt.ArrayLike, *, confidence: float = 0.95
) -> Interval:
    """t interval of mean(baseline - variant) over examples, both of shape (n,).

    For a score per example (squared error, log loss) on some hundred examples; with fewer, or
    heavy tails, use ``bca_interval``.
    """
    a, b = np.asarray(baseline, dtype=float), np.asarray(variant, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"expected two arrays of one shape (n,), got {a.shape} and {b.shape}")
    difference = a - b
    value, n = float(difference.mean()), difference.size
    spread = float(difference.std(ddof=1)) if n > 1 else 0.0
    if spread == 0.0:
        return _no_interval(value, n, "paired t", confidence, "every difference is the same")
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, 1.0 - _alpha(confidence) / 2.0)) * spread / math.sqrt(n)
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        n=n,
        method="paired t",
        confidence=confidence,
    )


def bca_interval(
    statistic: Callable[..., float],
    data: Sequence[npt.NDArray[Any]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of any metric of paired arrays.

    ``statistic(*data)`` takes the arrays, all with n examples along the first axis, and returns a
    number, for example F1 of the baseline minus F1 of the variant. Whole examples are drawn, so
    the pairing is kept (Efron 1987, "Better bootstrap confidence intervals"; SciPy does it). No
    interval when the statistic is the same, or undefined, in resamples. Raises ``ValueError`` for
    unequal lengths or fewer than 1,000 resamples.
    """
    lengths = {len(array) for array in data}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"expected arrays with one common length, got {sorted(lengths)}")
    if resamples < 1000:
        raise ValueError(f"resamples = {resamples}: expected at least 1000")
    import warnings

    from scipy.stats import DegenerateDataWarning, bootstrap

    n = lengths.pop()
    value = float(statistic(*data))
    method = f"BCa bootstrap, {resamples} resamples"
    if n == 1:
        return _no_interval(value, n, method, confidence, "one example")
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            (np.arange(n),),
            lambda rows: float(statistic(*(array[rows] for array in data))),
            n_resamples=resamples,
            confidence_level=confidence,
            method="BCa",
            vectorized=False,
            random_state=np.random.default_rng(seed),
        )
    low, high = (float(x) for x in result.confidence_interval)
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return _no_interval(value, n, method, confidence, "same or undefined in resamples")
    return Interval(value=value, low=low, high=high, n=n, method=method, confidence=confidence)


def _examples_to_decide(
    lost: int, gained: int, n: int, margin: float, confidence: float
) -> tuple[int | None, str]:
    """Total examples for a verdict with power 80 %, and the assumption in words."""
    rate = (lost + gained) / n
    # A gain is not extrapolated: it is luck as often as not, and would promise too few examples.
    drop = max((lost - gained) / n, 0.0)
    needed = examples_needed(rate, margin, drop=drop, confidence=confidence)
    assumed = f"n assumes {rate:.2%} disagreement and a true drop of {drop:.2%}, power {POWER:.0%}"
    return (None if needed is None else max(needed, n + 1)), assumed


def _tango_limits(lost: int, gained: int, n: int, alpha: float) -> tuple[float, float]:
    """The drops whose score statistic is not significant at ``alpha``, two-sided."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(1.0 - alpha / 2.0))

    def limit(target: float) -> float:
        def gap(drop: float) -> float:
            return float(_tango_z(np.array(lost), np.array(gained), n, drop)) - target

        edge = 1.0 - 1e-9
        if gap(-edge) <= 0.0:  # the statistic falls with the drop; beyond the edge lies only -1
            return -1.0
        if gap(edge) >= 0.0:
            return 1.0
        return float(brentq(gap, -edge, edge, xtol=1e-10))

    return limit(z), limit(-z)


def _tango_z(
    lost: npt.NDArray[Any], gained: npt.NDArray[Any], n: int, drop: float
) -> npt.NDArray[np.float64]:
    """Tango's score statistic against a true ``drop``; small when the observed drop is smaller."""
    variance = np.maximum(_null_variance(lost, gained, n, drop), 1e-12)
    return np.asarray((lost - gained - n * drop) / np.sqrt(variance), dtype=np.float64)


def _null_variance(
    lost: npt.NDArray[Any], gained: npt.NDArray[Any], n: int, drop: float
) -> npt.NDArray[np.float64]:
    """Variance of lost - gained at the rates most likely under a true ``drop`` (Tango 1998)."""
    linear = (2 * n - lost + gained) * drop - lost - gained
    constant = -gained * drop * (1.0 - drop)
    root = np.sqrt(np.maximum(linear * linear - 8.0 * n * constant, 0.0))
    gain_rate = (root - linear) / (4.0 * n)
    return np.asarray(n * (2.0 * gain_rate + drop * (1.0 - drop)), dtype=np.float64)


def _no_interval(value: float, n: int, method: str, confidence: float, note: str) -> Interval:
    return Interval(
        value=value, low=None, high=None, n=n, method=method, confidence=confidence, note=note
    )


def _check_counts(lost: int, gained: int, n: int) -> None:
    if n < 1 or lost < 0 or gained < 0 or lost + gained > n:
        raise ValueError(f"lost {lost}, gained {gained} of {n}: expected counts within n")


def _alpha(confidence: float) -> float:
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence = {confidence}: expected a fraction between 0.5 and 1")
    return 1.0 - confidence
