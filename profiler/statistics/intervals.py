"""Intervals across rounds. A round is a fresh process, and the process is the unit of inference:
queries of one process share its memory layout, so an interval from inside a process covers the
long-run value in 2 to 40 % of cases instead of 95 % (Kalibera & Jones 2013, "Rigorous benchmarking
in reasonable time"; the figures are our own). With fewer than ``MINIMUM_ROUNDS`` rounds there is
no interval, and never one of width zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from profiler.statistics.centre import ADAPTIVE_FACTOR, Centre, mean
from profiler.statistics.percentiles import METHOD, check_quantile, minimum_queries

MINIMUM_ROUNDS: Final = 4
NOT_ENOUGH_ROUNDS: Final = "not enough rounds"
TOO_FEW_QUERIES: Final = "n too small"
NO_SPREAD: Final = "no spread between rounds"

BLOCKS: Final = 4
"""Blocks per round which tell a round's own bias from noise that averages out within the round."""

FEW_BEYOND: Final = 10
"""With fewer queries expected beyond the quantile, the pooled tail says too little by itself."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A positive number with its interval, both in the unit of what it was computed from.

    ``low`` and ``high`` are both None when there is no honest interval; ``note`` says why.
    """

    value: float
    low: float | None
    high: float | None
    rounds: int
    confidence: float = 0.95
    note: str | None = None

    @property
    def half_width(self) -> float | None:
        """Half the interval's width as a fraction of the value; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / (2.0 * self.value)


def round_interval(
    values_per_round: Sequence[float] | npt.NDArray[Any],
    *,
    confidence: float = 0.95,
    adaptive: bool = False,
) -> Estimate:
    """Geometric mean over rounds with a t interval on the log scale.

    ``values_per_round`` has shape (rounds,), one positive number per fresh process. The log scale
    because disturbances multiply and because a ratio and its inverse then agree. ``adaptive``
    says that measuring stopped when the interval was narrow enough; see ``ADAPTIVE_FACTOR``.
    Raises ``ValueError`` for a number that is not finite and positive.
    """
    return log_interval(positive_logs(values_per_round), mean, confidence, adaptive=adaptive)


def log_interval(
    logs: Array, centred: Callable[[Array], Centre], confidence: float, *, adaptive: bool
) -> Estimate:
    """The t interval around a centre of ``logs``, shape (rounds,), back on their own scale."""
    check_confidence(confidence)
    if logs.size < MINIMUM_ROUNDS:
        return _estimate(float(logs.mean()), None, logs.size, confidence, NOT_ENOUGH_ROUNDS)
    centre = centred(logs)
    if not centre.spread_known:
        return _estimate(centre.value, None, logs.size, confidence, NO_SPREAD)
    half = centre.reach(1.0 - confidence, adaptive=adaptive)
    limits = (centre.value - half, centre.value + half)
    return _estimate(centre.value, limits, logs.size, confidence, None)


def quantile_intervals(
    latencies_per_round: Sequence[npt.NDArray[Any]],
    quantiles: Sequence[float],
    *,
    confidence: float = 0.95,
    adaptive: bool = False,
) -> list[Estimate]:
    """Quantiles of latency in the long run over processes, each with an interval.

    ``latencies_per_round`` holds one array of positive latencies per round (lengths may differ);
    a value is the pooled quantile and has their unit. No interval below ``MINIMUM_ROUNDS`` or
    below ``minimum_queries(q)`` queries in total. Several are asked at once because most of the
    work is to sort the latencies, which they share. Raises ``ValueError`` for an empty round or a
    latency that is not finite and positive.

    On the log scale, three uncertainties of the quantile of a mixture over processes are joined:

    1. *Shape*: how the share of queries below the quantile varies between rounds, inverted
       through the pooled distribution (Woodruff 1952, "Confidence intervals for medians and other
       position measures"). It follows skew and bursts and needs no density estimate.
    2. *Location*: the bias of a process moves its whole distribution. Rounds are re-centred by
       their own log median, shrunk by how much of its variance blocks within the round do not
       explain (one-way ANOVA, as James-Stein estimators do). Both enter as one influence value
       per round, so that their covariance counts, with a t interval over rounds.
    3. *Dispersion*: a tail of the mixture grows with the unknown spread of those biases. Its
       chi-square interval is joined by the square-root rule (MOVER: Zou & Donner 2008,
       "Construction of confidence limits about effect measures").

    Where the t interval over per-round quantiles is more than twice as wide, the quantile falls
    into a gap between fast and disturbed queries; where fewer than ten queries lie beyond it, the
    tail is thin. In both cases the union of the two is taken. ``scripts/simulate_intervals``
    prints what this covers, and what it does not: bursts which most rounds have not met.
    """
    for q in quantiles:
        check_quantile(q)
    alpha = _alpha(confidence, adaptive)
    logs = [positive_logs(latencies) for latencies in latencies_per_round]
    if not logs:
        raise ValueError("expected one array of latencies per round, got no rounds")
    rounds = len(logs)
    pooled = np.concatenate(logs)
    # The quantile of the latencies themselves: interpolating between their logs differs slightly.
    values = np.quantile(np.exp(pooled), quantiles, method=METHOD)
    estimates: list[Estimate] = []
    shared: _Centred | None = None
    for q, value in zip(quantiles, np.log(values).tolist(), strict=True):
        if pooled.size < minimum_queries(q, confidence):
            estimates.append(_estimate(value, None, rounds, confidence, TOO_FEW_QUERIES))
            continue
        if rounds < MINIMUM_ROUNDS:
            estimates.append(_estimate(value, None, rounds, confidence, NOT_ENOUGH_ROUNDS))
            continue
        shared = shared or _centred(logs)
        low, high = _mixture_limits(shared, q, alpha)
        low, high = min(low, value), max(high, value)
        per_round = np.array([_at(x, q) for x in shared.rounds]) + shared.bias
        reach = _t_quantile(alpha, rounds) * float(per_round.std(ddof=1)) / math.sqrt(rounds)
        thin = pooled.size * min(q, 1.0 - q) < FEW_BEYOND
        if thin or reach > high - low:
            low, high = min(low, value - reach), max(high, value + reach)
        if high - low <= 1e-12:
            estimates.append(_estimate(value, None, rounds, confidence, NO_SPREAD))
            continue
        estimates.append(_estimate(value, (low, high), rounds, confidence, None))
    return estimates


def quantile_interval(
    latencies_per_round: Sequence[npt.NDArray[Any]],
    q: float,
    *,
    confidence: float = 0.95,
    adaptive: bool = False,
) -> Estimate:
    """One of ``quantile_intervals``."""
    found = quantile_intervals(latencies_per_round, (q,), confidence=confidence, adaptive=adaptive)
    return found[0]


def positive_logs(values: Sequence[float] | npt.NDArray[Any]) -> Array:
    """Natural logs of shape (n,); ``ValueError`` unless all values are finite and positive."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"expected positive numbers in one dimension, got shape {array.shape}")
    bad = array[~(np.isfinite(array) & (array > 0.0))]
    if bad.size:
        raise ValueError(f"expected finite positive numbers, got {bad[0]} among {array.size}")
    return np.asarray(np.log(array), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Centred:
    """Rounds on the log scale, each sorted and without its shrunken bias, and what all are."""

    rounds: list[Array]
    pooled: Array
    """of all rounds, sorted"""
    weight: Array
    """of each round by its queries, one on average"""
    bias: Array
    bias_variance: float


def _centred(logs: Sequence[Array]) -> _Centred:
    bias, bias_variance = _round_bias(logs)
    rounds = [np.sort(x) - b for x, b in zip(logs, bias, strict=True)]
    sizes = np.array([x.size for x in logs])
    return _Centred(
        rounds=rounds,
        pooled=np.sort(np.concatenate(rounds)),
        weight=sizes / sizes.sum() * len(logs),
        bias=bias,
        bias_variance=bias_variance,
    )


def _mixture_limits(centred: _Centred, q: float, alpha: float) -> tuple[float, float]:
    """Limits on the log scale, from the three uncertainties told in ``quantile_intervals``."""
    from scipy.special import chdtri, ndtri

    rounds, weight, bias = len(centred.rounds), centred.weight, centred.bias
    bias_variance, pooled = centred.bias_variance, centred.pooled
    quantile, median = _at(pooled, q), _at(pooled, 0.5)

    # Half of the ties count as below: clocks with a coarse tick make many.
    below = np.array([
        (x.searchsorted(quantile) + x.searchsorted(quantile, "right")) / (2.0 * x.size)
        for x in centred.rounds
    ])  # fmt: skip
    surplus = weight * (below - float((weight * below).mean()))
    reach = _t_quantile(alpha, rounds) / math.sqrt(rounds)
    share = max(reach * float(surplus.std(ddof=1)), 1e-12)

    def influence(per_share: float) -> float:
        return reach * float((weight * bias - per_share * surplus).std(ddof=1))

    down = influence((quantile - _at(pooled, q - share)) / share)
    up = influence((_at(pooled, q + share) - quantile) / share)

    z = float(ndtri(q))
    distance = abs(quantile - median)

    def widened(variance: float) -> float:
        # By how much processes with this variance of bias push the quantile of the mixture out.
        return math.copysign(math.sqrt(distance**2 + z**2 * variance) - distance, z)

    freedom = rounds - 1
    ends = [
        widened(bias_variance * freedom / float(chdtri(freedom, p)))
        for p in (alpha / 2.0, 1.0 - alpha / 2.0)
    ]
    centre = widened(bias_variance)
    least, most = min(ends), max(ends)
    return (
        quantile + centre - math.hypot(down, centre - least),
        quantile + centre + math.hypot(up, most - centre),
    )


def _round_bias(logs: Sequence[Array]) -> tuple[Array, float]:
    """Shrunken bias of each round, shape (rounds,), and the variance of bias between rounds."""
    if min(x.size for x in logs) < 2 * BLOCKS:
        # Too short to see noise within a round: book every difference as bias, the wider choice.
        own = np.array([np.median(x) for x in logs])
        shrink = 1.0
    else:
        blocks = np.array([block_medians(x) for x in logs])
        own = blocks.mean(axis=1)
        between = float(own.var(ddof=1))
        within = float(blocks.var(axis=1, ddof=1).mean()) / BLOCKS
        shrink = max(0.0, 1.0 - within / between) if between > 0.0 else 0.0
    return shrink * (own - own.mean()), shrink * float(own.var(ddof=1))


def block_medians(values: Array) -> Array:
    """Medians of the parts that ``np.array_split`` makes, shape (BLOCKS,); two lengths at most."""
    size, longer = divmod(values.size, BLOCKS)
    cut = longer * (size + 1)
    parts = (values[:cut].reshape(longer, size + 1), values[cut:].reshape(BLOCKS - longer, size))
    return np.concatenate([np.median(part, axis=1) for part in parts if part.size])


def _at(ordered: Array, q: float) -> float:
    """``np.quantile`` with ``METHOD`` of an already sorted array; q is clipped to [0, 1]."""
    position = min(max(q, 0.0), 1.0) * (ordered.size - 1)
    lower = min(int(position), ordered.size - 1)
    upper = min(lower + 1, ordered.size - 1)
    return float(ordered[lower] + (position - lower) * (ordered[upper] - ordered[lower]))


def check_confidence(confidence: float) -> None:
    """Raise ``ValueError`` unless ``confidence`` is a fraction between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence = {confidence}: expected a fraction between 0 and 1")


def _alpha(confidence: float, adaptive: bool) -> float:
    check_confidence(confidence)
    return (1.0 - confidence) / (ADAPTIVE_FACTOR if adaptive else 1.0)


def _t_quantile(alpha: float, rounds: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(rounds - 1, 1.0 - alpha / 2.0))


def _estimate(
    value: float,
    limits: tuple[float, float] | None,
    rounds: int,
    confidence: float,
    note: str | None,
) -> Estimate:
    """From the log scale back to the unit of the data."""
    low, high = (None, None) if limits is None else (math.exp(limits[0]), math.exp(limits[1]))
    return Estimate(
        value=math.exp(value), low=low, high=high, rounds=rounds, confidence=confidence, note=note
    )
