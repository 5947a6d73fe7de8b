"""Intervals across rounds: known t intervals, honest refusals, coverage of known quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.special import stdtrit

from profiler.statistics.intervals import (
    BLOCKS,
    MINIMUM_ROUNDS,
    NO_SPREAD,
    NOT_ENOUGH_ROUNDS,
    TOO_FEW_QUERIES,
    Estimate,
    block_medians,
    quantile_interval,
    quantile_intervals,
    round_interval,
)
from profiler.statistics.percentiles import percentile

rounds_of_values = st.lists(st.floats(0.5, 2.0), min_size=4, max_size=12).filter(
    lambda x: max(x) / min(x) > 1.001
)


def lognormal_rounds(
    seed: int, rounds: int, n: int, *, sd: float = 0.1, bias: float = 0.0
) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shift = bias * rng.standard_normal((rounds, 1))
    return list(np.exp(shift + sd * rng.standard_normal((rounds, n))))


def covered(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


# --- one value per round


def test_t_interval_by_hand() -> None:
    # Logs 1, 2, 3, 4, 5: mean 3, sd sqrt(2.5); t(0.975, 4) = 2.776 (any t table).
    estimate = round_interval(np.exp([1.0, 2, 3, 4, 5]))
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert estimate.value == pytest.approx(math.exp(3))
    assert estimate.low == pytest.approx(math.exp(3 - half), rel=1e-6)
    assert estimate.high == pytest.approx(math.exp(3 + half), rel=1e-6)
    assert (estimate.rounds, estimate.note) == (5, None)


def test_adaptive_halves_the_error() -> None:
    # t(0.9875, 4) = 3.4954, the two-sided 97.5 % point.
    estimate = round_interval(np.exp([1.0, 2, 3, 4, 5]), adaptive=True)
    assert math.log(estimate.high or 0) == pytest.approx(3 + 3.495406 * math.sqrt(0.5), rel=1e-6)
    assert estimate.confidence == 0.95


def test_fewer_than_four_rounds_have_no_interval() -> None:
    estimate = round_interval([1.0, 1.1, 1.2])
    assert MINIMUM_ROUNDS == 4
    assert (estimate.low, estimate.high, estimate.half_width) == (None, None, None)
    assert estimate.note == NOT_ENOUGH_ROUNDS
    assert estimate.value == pytest.approx((1.0 * 1.1 * 1.2) ** (1 / 3))


@pytest.mark.parametrize("sizes", [[200] * 6, [3, 37, 200, 41, 400], [150] * 3])
def test_several_quantiles_are_told_as_each_alone(sizes: list[int]) -> None:
    rng = np.random.default_rng(8)
    latencies = [np.exp(0.1 * rng.standard_normal(n) + 0.02 * rng.standard_normal()) for n in sizes]
    quantiles = (0.5, 0.9, 0.99)
    found = quantile_intervals(latencies, quantiles, adaptive=True)
    assert found == [quantile_interval(latencies, q, adaptive=True) for q in quantiles]


@pytest.mark.parametrize("size", [8, 9, 10, 11, 203])
def test_blocks_are_those_of_array_split(size: int) -> None:
    values = np.random.default_rng(size).standard_normal(size)
    parts = np.array_split(values, BLOCKS)
    assert block_medians(values).tolist() == [np.median(part) for part in parts]


def test_identical_rounds_never_give_width_zero() -> None:
    estimate = round_interval([0.1, 0.1, 0.1, 0.1])
    assert (estimate.low, estimate.high, estimate.note) == (None, None, NO_SPREAD)


@pytest.mark.parametrize("bad", [[1.0, 0.0], [1.0, -1.0], [1.0, math.nan], [math.inf], [], [[1.0]]])
def test_only_finite_positive_numbers(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="positive numbers"):
        round_interval(bad)


def test_confidence_must_be_a_fraction() -> None:
    with pytest.raises(ValueError, match="confidence"):
        round_interval([1.0, 2.0, 3.0, 4.0], confidence=95)


def test_half_width_is_relative() -> None:
    estimate = Estimate(value=2.0, low=1.9, high=2.2, rounds=4)
    assert estimate.half_width == pytest.approx(0.075)


@given(rounds_of_values, st.floats(0.01, 100))
def test_round_interval_scales_with_the_unit(data: list[float], factor: float) -> None:
    one, other = round_interval(data), round_interval([factor * x for x in data])
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(factor * getattr(one, name), rel=1e-6)


@given(rounds_of_values)
def test_higher_confidence_is_wider(data: list[float]) -> None:
    one, other = round_interval(data), round_interval(data, confidence=0.99)
    assert (other.low or 0) < (one.low or 0) <= one.value <= (one.high or 0) < (other.high or 0)


# --- quantiles


def test_value_is_the_pooled_percentile_of_the_latencies() -> None:
    latencies = lognormal_rounds(1, 4, 101)
    for q in (0.1, 0.5, 0.9):
        pooled = percentile(np.concatenate(latencies), q)
        assert quantile_interval(latencies, q).value == pytest.approx(pooled, rel=1e-12)


def test_refusals_name_the_reason() -> None:
    latencies = lognormal_rounds(2, 4, 91)  # 364 queries, 368 needed
    assert quantile_interval(latencies, 0.99).note == TOO_FEW_QUERIES
    assert quantile_interval(latencies, 0.99).low is None
    assert quantile_interval(latencies, 0.9).note is None
    few = quantile_interval(lognormal_rounds(2, 3, 1000), 0.5)
    assert (few.low, few.high, few.note) == (None, None, NOT_ENOUGH_ROUNDS)
    same = quantile_interval([np.full(100, 7)] * 4, 0.5)
    assert (same.value, same.low, same.note) == (pytest.approx(7), None, NO_SPREAD)


def test_bad_rounds() -> None:
    with pytest.raises(ValueError, match="no rounds"):
        quantile_interval([], 0.5)
    with pytest.raises(ValueError, match="positive numbers"):
        quantile_interval([np.array([1.0]), np.array([])], 0.5)


@pytest.mark.parametrize(("q", "least"), [(0.5, 0.91), (0.9, 0.91), (0.99, 0.90)])
@pytest.mark.parametrize("rounds", [4, 8])
def test_covers_a_mixture_of_biased_processes(q: float, least: float, rounds: int) -> None:
    # sd 1 % within and 3 % between processes: an interval from pooled queries covers 6 to 15 %,
    # a t interval over the rounds' own p99 some 60 %.
    truth = math.exp(math.hypot(0.01, 0.03) * {0.5: 0.0, 0.9: 1.2815516, 0.99: 2.3263479}[q])
    hits = [
        covered(quantile_interval(lognormal_rounds(s, rounds, 100, sd=0.01, bias=0.03), q), truth)
        for s in range(150)
    ]
    assert np.mean(hits) >= least


@pytest.mark.parametrize(("q", "truth"), [(0.5, 1.0), (0.9, math.exp(0.12815516))])
def test_neither_too_narrow_nor_too_wide_for_independent_queries(q: float, truth: float) -> None:
    hits = [covered(quantile_interval(lognormal_rounds(s, 6, 150), q), truth) for s in range(200)]
    assert 0.91 <= np.mean(hits) <= 0.98
    # Root-n: the interval of nearly independent queries must not be inflated by the bias model.
    widths = [quantile_interval(lognormal_rounds(s, 6, 150), q).half_width for s in range(100)]
    ideal = 2.5706 * 0.1 * {0.5: 1.2533, 0.9: 1.7094}[q] / math.sqrt(900)
    assert np.median([w or 0 for w in widths]) < 1.25 * ideal


def autoregressive_rounds(seed: int, rounds: int, n: int) -> list[np.ndarray]:
    rho = 0.95
    noise = np.random.default_rng(seed).standard_normal((rounds, n)) * math.sqrt(1 - rho**2)
    return list(np.exp(0.1 * lfilter([1.0], [1.0, -rho], noise, axis=1)))


def test_median_of_slow_noise_is_as_wide_as_the_t_interval_of_the_rounds_medians() -> None:
    # Bias and shape carry the same noise here; counted with the wrong covariance they fall 15 %
    # short or overshoot.
    ours, theirs = 0.0, 0.0
    for seed in range(100):
        latencies = autoregressive_rounds(seed, 6, 150)
        ours += quantile_interval(latencies, 0.5).half_width or 0
        theirs += round_interval([percentile(x, 0.5) for x in latencies]).half_width or 0
    assert ours / theirs == pytest.approx(1.0, abs=0.08)


def test_slow_noise_is_not_taken_for_bias_of_the_process() -> None:
    widths = [
        quantile_interval(autoregressive_rounds(seed, 4, 150), 0.95).half_width or 0
        for seed in range(100)
    ]
    assert np.mean(widths) < 0.12  # 0.11; every difference of rounds booked as bias gives 0.14


def test_a_slow_burst_in_one_round_widens_upwards_only() -> None:
    latencies = lognormal_rounds(3, 6, 200, sd=0.01)
    calm = quantile_interval(latencies, 0.95)
    latencies[2] = latencies[2].copy()
    latencies[2][:60] *= 1.5
    struck = quantile_interval(latencies, 0.95)
    assert (struck.high or 0) > 1.3 * (calm.high or 0)
    assert (struck.low or 0) > 0.98 * (calm.low or 0)


def test_rounds_may_differ_in_length_and_be_very_short() -> None:
    latencies = [x[: 40 + 30 * i] for i, x in enumerate(lognormal_rounds(4, 6, 300))]
    assert covered(quantile_interval(latencies, 0.5), 1.0)
    short = quantile_interval(lognormal_rounds(5, 8, 5), 0.5)
    assert covered(short, 1.0)


def test_coarse_clock_ticks() -> None:
    latencies = [np.round(x * 10) for x in lognormal_rounds(6, 6, 200)]
    estimate = quantile_interval(latencies, 0.5)
    assert estimate.note in (None, NO_SPREAD)
    assert estimate.low is None or estimate.low <= estimate.value <= (estimate.high or 0)


@given(st.integers(0, 50), st.sampled_from([0.1, 0.5, 0.9, 0.95]), st.floats(0.001, 1e6))
def test_quantile_interval_scales_and_contains_its_value(
    seed: int, q: float, factor: float
) -> None:
    latencies = lognormal_rounds(seed, 5, 40, bias=0.03)
    one = quantile_interval(latencies, q)
    other = quantile_interval([factor * x for x in latencies], q)
    assert (one.low or 0) <= one.value <= (one.high or 0)
    for name in ("value", "low", "high"):
        assert getattr(other, name) == pytest.approx(factor * getattr(one, name), rel=1e-6)


@given(st.integers(0, 50), st.randoms(use_true_random=False))
def test_order_of_rounds_does_not_matter(seed: int, random: object) -> None:
    latencies = lognormal_rounds(seed, 5, 40, bias=0.03)
    shuffled = list(latencies)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = quantile_interval(latencies, 0.9), quantile_interval(shuffled, 0.9)
    assert other.high == pytest.approx(one.high, rel=1e-9)
    assert other.low == pytest.approx(one.low, rel=1e-9)


def test_a_thin_tail_is_at_least_as_wide_as_the_rounds_own_quantiles_say() -> None:
    for seed in range(20):  # 4 of 400 queries lie beyond the p99
        rounds = lognormal_rounds(seed, 4, 100)
        found = quantile_interval(rounds, 0.99)
        own = np.array([np.quantile(np.log(x), 0.99) for x in rounds])
        reach = stdtrit(3, 0.975) * own.std(ddof=1) / 2
        assert found.low is not None
        assert found.high is not None
        assert math.log(found.low) <= math.log(found.value) - reach + 1e-12
        assert math.log(found.high) >= math.log(found.value) + reach - 1e-12
