"""Verdicts of one ratio and of a family, adjusted p-values, and when to stop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from profiler.statistics.intervals import Estimate
from profiler.statistics.ratio import (
    _shaffer_pairs,
    benjamini_hochberg,
    compare,
    compare_family,
    difference_p_value,
    equivalence_p_value,
    holm,
    ratio_interval,
    rounds_needed,
    should_stop,
)

positive = st.floats(0.5, 2.0)
pairs = st.lists(st.tuples(positive, positive), min_size=4, max_size=10).filter(
    lambda rows: np.ptp([math.log(a / b) for a, b in rows]) > 1e-3
)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)
SWAPPED = {"faster": "slower", "slower": "faster"}


def estimate(low: float | None, high: float | None, value: float = 1.0) -> Estimate:
    return Estimate(value=value, low=low, high=high, rounds=8)


# --- one ratio


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.97, 0.99, "faster"),
        (1.001, 1.03, "slower"),
        (0.995, 1.005, "equivalent"),
        (1.001, 1.009, "equivalent"),  # real, and too small to matter
        (0.99, 1.005, "undecided"),  # 0.99 lies outside 1 / 1.01
        (0.9902, 1.0099, "equivalent"),
        (0.98, 1.02, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_verdict_table(low: float | None, high: float | None, verdict: str) -> None:
    assert compare(estimate(low, high)) == verdict


def test_delta_widens_equivalence() -> None:
    assert compare(estimate(0.97, 1.03), delta=0.05) == "equivalent"
    with pytest.raises(ValueError, match=r"0\.01 for 1 %"):
        compare(estimate(0.9, 1.0), delta=5)


def test_pairing_by_round_cancels_drift() -> None:
    drift = np.array([1.0, 2.0, 4.0, 8.0])
    ratio = ratio_interval(1.02 * drift, drift * [1.001, 0.999, 1.001, 0.999])
    assert ratio.value == pytest.approx(1.02, rel=1e-3)
    assert compare(ratio) == "slower"
    with pytest.raises(ValueError, match="paired by round"):
        ratio_interval([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0])


@given(pairs)
def test_swapping_inverts_the_ratio_and_the_verdict(rows: list[tuple[float, float]]) -> None:
    a, b = zip(*rows, strict=True)
    one, other = ratio_interval(a, b), ratio_interval(b, a)
    assert other.value == pytest.approx(1 / one.value)
    assert other.low == pytest.approx(1 / (one.high or 0))
    assert other.high == pytest.approx(1 / (one.low or 0))
    assert compare(other, 0.1) == SWAPPED.get(compare(one, 0.1), compare(one, 0.1))


@given(pairs, st.floats(0.01, 100))
def test_ratio_does_not_depend_on_the_unit(rows: list[tuple[float, float]], unit: float) -> None:
    a, b = np.array(rows).T
    one, other = ratio_interval(a, b), ratio_interval(unit * a, unit * b)
    assert other.low == pytest.approx(one.low, rel=1e-6)


@given(pairs)
def test_p_values_say_what_the_interval_says(rows: list[tuple[float, float]]) -> None:
    a, b = np.array(rows).T
    logs = np.log(a / b)
    if len(rows) < 8:
        assert difference_p_value(logs) == pytest.approx(ttest_1samp(logs, 0).pvalue, abs=1e-9)
    for adaptive in (False, True):
        ratio = ratio_interval(a, b, adaptive=adaptive)
        excludes = not (ratio.low or 0) <= 1 <= (ratio.high or 0)
        assert excludes == (difference_p_value(logs, adaptive=adaptive) < 0.05)
        inside = compare(ratio, 0.5) == "equivalent"
        assert inside == (equivalence_p_value(logs, 0.5, adaptive=adaptive) <= 0.05)


def test_what_cannot_be_told_has_p_one() -> None:
    for logs in ([0.1, 0.2, 0.3], [0.5] * 6):
        assert difference_p_value(logs) == 1.0
        assert equivalence_p_value(logs, 0.9) == 1.0


# --- how long to measure


def test_rounds_needed_by_hand() -> None:
    # mean 0, sd 0.01, distance log(1.01): (t + t.80) * 0.01 <= 0.00995 sqrt(n), where t is at
    # 1 - 0.05 / 1.5 / 2. Of 12 rounds two are trimmed at each end, which leaves 7 degrees of
    # freedom: (2.642 + 0.896) / 0.995 = 3.556 > sqrt(12) = 3.464. Of 13 they leave 8:
    # (2.566 + 0.889) / 0.995 = 3.472 <= 3.606.
    logs = 0.01 * np.array([-1.0, 1.0, -1.0, 1.0]) * math.sqrt(3 / 4)
    assert rounds_needed(logs) == 13
    # Looked at after each round, the level is 0.05 / 3.25: at 15 rounds (3 cut, 8 left) 3.977 >
    # 3.873, at 16 (9 left) (2.983 + 0.883) / 0.995 = 3.885 <= 4.
    assert rounds_needed(logs, adaptive=True) == 16
    # A wide spread that the trimming takes off does not count.
    wide = np.concatenate([np.tile(logs, 5), [-0.5, 0.5]])
    assert rounds_needed(wide) == 22


def test_rounds_needed_shrinks_with_distance_and_never_lies() -> None:
    noise = 0.02 * np.array([-1.0, 1.0, -0.5, 0.5, 0.0])
    counts = [rounds_needed(noise + shift) or 0 for shift in (0.0, 0.02, 0.05, 0.2)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 5  # never less than was made
    assert rounds_needed([0.1, 0.2]) is None
    assert rounds_needed([0.1, 0.1, 0.1, 0.1]) is None
    assert rounds_needed(500 * noise, delta=1e-4) is None or rounds_needed(500 * noise) is not None
    assert rounds_needed([-5.0, 5.0, -5.0, 5.0], delta=0.001) is None


def test_should_stop_needs_every_interval() -> None:
    narrow, wide, none = estimate(0.995, 1.005), estimate(0.98, 1.02), estimate(None, None)
    assert should_stop([narrow.half_width] * 2)
    assert not should_stop([narrow.half_width, wide.half_width])
    assert should_stop([narrow.half_width, wide.half_width], 0.03)
    assert not should_stop([narrow.half_width, none.half_width])
    assert not should_stop([])


def test_adaptive_correction_keeps_false_alarms_of_stopping_at_five_per_cent() -> None:
    rng = np.random.default_rng(7)
    alarms = {False: 0, True: 0}
    campaigns = 1200
    for logs in 0.015 * rng.standard_normal((campaigns, 16)):
        for adaptive in alarms:
            for rounds in range(4, 17):
                ratio = ratio_interval(np.exp(logs[:rounds]), np.ones(rounds), adaptive=adaptive)
                if should_stop([ratio.half_width]):
                    break
            alarms[adaptive] += not (ratio.low or 0) <= 1 <= (ratio.high or 0)
    assert alarms[False] / campaigns > 0.065  # what goes wrong without it
    assert alarms[True] / campaigns < 0.0625


# --- many at once


def test_holm_textbook() -> None:
    # Holm 1979 by hand: 4 * 0.005, 3 * 0.01, 2 * 0.03, then 0.04 raised to 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0


def test_benjamini_hochberg_textbook() -> None:
    # p * m / rank, made monotone from the largest down.
    adjusted = benjamini_hochberg([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]).size == 0


@given(p_values)
def test_adjusted_p_values_are_ordered(p: list[float]) -> None:
    one, other = holm(p), benjamini_hochberg(p)
    slack = 1e-12
    assert np.all(np.asarray(p) <= other + slack)
    assert np.all(other <= one + slack)
    assert np.all(one <= np.minimum(1, len(p) * np.asarray(p)) + slack)


def test_p_values_must_be_probabilities() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.5, 1.5])


@given(pairs)
def test_a_family_of_one_is_compare(rows: list[tuple[float, float]]) -> None:
    ratios = [a / b for a, b in rows]
    member = compare_family({"only": ratios}, 0.2)["only"]
    alone = ratio_interval(ratios, np.ones(len(ratios)))
    assert member.verdict == compare(alone, 0.2)
    assert member.ratio.high == pytest.approx(alone.high)


def test_a_family_asks_for_more_than_one_comparison() -> None:
    base = np.array([0.004, 0.02, 0.03, 0.04, 0.05, 0.02])
    noise = np.array([-0.03, 0.04, -0.02, 0.035, -0.04, 0.01])
    alone = compare_family({"x": np.exp(base)})["x"]
    crowd = compare_family({"x": np.exp(base)} | {f"n{i}": np.exp(noise) for i in range(19)})
    assert alone.verdict == "slower"
    assert crowd["x"].verdict == "undecided"
    assert crowd["x"].p_difference == pytest.approx(20 * alone.p_difference)
    assert crowd["x"].ratio == alone.ratio  # the interval is its own
    assert (crowd["x"].rounds_needed or 0) > 6, "these six did not decide"
    assert (crowd["x"].rounds_needed or 0) > (alone.rounds_needed or 0)


def test_a_comparison_is_counted_once_although_it_has_two_hypotheses() -> None:
    # Shaffer 1986: at most one of "no difference" and "not equivalent" is true, so two
    # comparisons cost a factor of two, not four; a decided pair no longer counts.
    close = np.exp([0.0005, -0.0005, 0.0004, -0.0006])
    member = compare_family({"a": close, "b": close})["a"]
    assert member.p_equivalence == pytest.approx(2 * equivalence_p_value(np.log(close)))
    assert member.verdict == "equivalent"


def test_a_comparison_decided_on_both_questions_leaves_the_family() -> None:
    both = np.exp(0.004 + 1e-6 * np.array([-1.0, 1.0, -1.0, 1.0]))  # not one, yet equivalent
    close = np.exp([0.003, -0.0055, 0.003, -0.006])
    alone = equivalence_p_value(np.log(close))
    assert 0.025 < alone < 0.05
    family = compare_family({"both": both, "close": close})
    assert family["close"].p_equivalence == pytest.approx(alone)
    assert [c.verdict for c in family.values()] == ["equivalent", "equivalent"]


def test_too_few_rounds_stay_undecided_and_count() -> None:
    family = compare_family({"a": [2.0, 2.0, 2.1], "b": [1.3, 1.31, 1.29, 1.3]})
    assert family["a"].verdict == "undecided"
    assert family["b"].verdict == "slower"
    assert compare_family({}) == {}


def test_adjusted_p_values_of_pairs_never_fall() -> None:
    found = _shaffer_pairs(np.array([[0.02, 0.021], [0.03, 1.0]]))
    # Once the first comparison is decided, one hypothesis is left: 0.03 x 1 is below 0.021 x 2.
    np.testing.assert_allclose(found, [[0.04, 0.042], [0.042, 1.0]])
