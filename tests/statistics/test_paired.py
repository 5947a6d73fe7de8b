"""Paired accuracy: textbook intervals, verdicts which keep their promise, and sample sizes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from profiler.statistics.paired import (
    bca_interval,
    discordance,
    exact_margin_p,
    examples_needed,
    mcnemar_exact,
    mean_difference_interval,
    non_inferiority,
    proportion_interval,
    tango_interval,
)

counts = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 400)).map(
    lambda x: (x[0], x[1], sum(x))
)


def answers(lost: int, gained: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    baseline, variant = np.ones(n, bool), np.ones(n, bool)
    variant[:lost] = False
    baseline[lost : lost + gained] = False
    return baseline, variant


# --- textbook values


def test_tango_interval_of_the_airway_data() -> None:
    # Bentur et al. 2009 as in Fagerland, Lydersen & Laake 2014, "Recommended tests and confidence
    # intervals for paired binomial proportions": 1 and 7 discordant of 21, -0.286 (-0.517, -0.026).
    interval = tango_interval(1, 7, 21)
    assert interval.value == pytest.approx(-0.286, abs=5e-4)
    assert interval.low == pytest.approx(-0.517, abs=5e-4)
    assert interval.high == pytest.approx(-0.026, abs=5e-4)


def test_tango_interval_without_disagreement() -> None:
    # Closed form: z^2 / (n + z^2) on both sides.
    interval = tango_interval(0, 0, 100)
    assert interval.high == pytest.approx(3.841459 / 103.841459, rel=1e-6)
    assert interval.low == pytest.approx(-(interval.high or 0))


def test_mcnemar_of_the_airway_data() -> None:
    assert mcnemar_exact(1, 7) == pytest.approx(0.0703125)  # 2 * 9 / 256
    assert mcnemar_exact(0, 0) == 1.0


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_wilson_as_in_newcombe_1998(successes: int, n: int, low: float, high: float) -> None:
    interval = proportion_interval(successes, n)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)
    with pytest.raises(ValueError, match="successes"):
        proportion_interval(n + 1, n)


# --- the exact test


def test_exact_p_of_identical_answers_is_the_rule_of_three() -> None:
    assert exact_margin_p(0, 0, 250, 0.01) == pytest.approx(0.99**250 + 0.001)


@pytest.mark.parametrize(("n", "discordant"), [(200, 0.03), (300, 0.02), (300, 0.05)])
def test_false_non_inferior_is_at_most_five_per_cent(n: int, discordant: float) -> None:
    # Exact size at a true drop equal to the margin: every outcome, weighted by its chance. The
    # asymptotic test has 5.9 % in the first cell and 6.0 % in the second.
    margin = discordant if discordant < 0.05 else 0.02
    size = 0.0
    for moved in range(int(n * discordant * 3) + 10):
        for lost in range(moved + 1):
            share = (discordant + margin) / 2 / discordant
            chance = binom.pmf(moved, n, discordant) * binom.pmf(lost, moved, share)
            if chance > 1e-7 and exact_margin_p(lost, moved - lost, n, margin) <= 0.05:
                size += chance
    assert 0.01 < size <= 0.05


@given(counts, st.floats(0.005, 0.2))
def test_a_loss_less_or_a_wider_margin_never_undoes_non_inferiority(
    outcome: tuple[int, int, int], margin: float
) -> None:
    lost, gained, n = outcome
    assert 0.0 < exact_margin_p(lost, gained, n, margin) <= 1.0
    if lost and exact_margin_p(lost, gained, n, margin) <= 0.05:
        assert exact_margin_p(lost - 1, gained, n, margin) <= 0.05
        assert exact_margin_p(lost, gained, n, 1.5 * margin) <= 0.05


@given(counts)
def test_swapping_the_models_mirrors_the_interval(outcome: tuple[int, int, int]) -> None:
    lost, gained, n = outcome
    one, other = tango_interval(lost, gained, n), tango_interval(gained, lost, n)
    assert other.low == pytest.approx(-(one.high or 0), abs=1e-6)
    assert other.value == -one.value
    assert (one.low or 0) <= one.value <= (one.high or 0)
    assert mcnemar_exact(lost, gained) == pytest.approx(mcnemar_exact(gained, lost))


# --- verdicts


def test_identical_answers_need_301_examples_for_one_point() -> None:
    short = non_inferiority(*answers(0, 0, 300), 0.01)
    assert (short.verdict, short.n_needed) == ("undecided", 301)
    enough = non_inferiority(*answers(0, 0, 301), 0.01)
    assert (enough.verdict, enough.n_needed, enough.real_drop) == ("non-inferior", None, False)


def test_two_examples_of_408_are_not_a_loss() -> None:
    # The published int8 BERT "loss" of 0.49 points on MRPC.
    verdict = non_inferiority(*answers(7, 5, 408), 0.01)
    assert verdict.drop == pytest.approx(0.0049, abs=1e-4)
    assert verdict.verdict == "undecided"
    assert not verdict.real_drop
    assert (verdict.n_needed or 0) > 408
    assert "2.94% disagreement" in verdict.note


def test_a_collapse_is_worse() -> None:
    verdict = non_inferiority(*answers(80, 10, 1000), 0.01)
    assert verdict.verdict == "worse"
    assert verdict.real_drop
    assert verdict.low > 0.01
    assert verdict.p_worse < 0.002 < 0.9 < verdict.p_non_inferior


def test_a_real_drop_near_the_margin_stays_undecided_and_is_flagged() -> None:
    verdict = non_inferiority(*answers(25, 8, 2000), 0.01)
    assert verdict.verdict == "undecided"
    assert verdict.real_drop
    assert verdict.low > 0.0
    assert verdict.note.startswith("a real drop")


def test_a_real_drop_within_the_margin_is_non_inferior_and_flagged() -> None:
    verdict = non_inferiority(*answers(40, 15, 20_000), 0.01)
    assert (verdict.verdict, verdict.real_drop) == ("non-inferior", True)


def test_a_gain_is_no_real_drop() -> None:
    verdict = non_inferiority(*answers(5, 60, 2000), 0.01)
    assert (verdict.verdict, verdict.real_drop) == ("non-inferior", False)
    assert verdict.drop < 0


@given(counts, st.randoms(use_true_random=False))
def test_order_of_examples_does_not_matter(outcome: tuple[int, int, int], random: object) -> None:
    lost, gained, n = outcome
    order = list(range(n))
    random.shuffle(order)  # type: ignore[attr-defined]
    baseline, variant = answers(lost, gained, n)
    assert discordance(baseline[order], variant[order]) == (n, lost, gained)


def test_undecided_names_the_examples_it_would_take() -> None:
    lossy = non_inferiority(*answers(10, 6, 800), 0.01)
    assert lossy.n_needed == examples_needed(16 / 800, 0.01, drop=4 / 800) > 801
    lucky = non_inferiority(*answers(5, 7, 300), 0.01)  # a gain is not extrapolated
    assert lucky.n_needed == examples_needed(12 / 300, 0.01)


def test_bad_input_is_named() -> None:
    right = np.ones(10, bool)
    with pytest.raises(ValueError, match=r"one shape"):
        non_inferiority(right, right[:5], 0.01)
    with pytest.raises(ValueError, match="boolean"):
        non_inferiority(right, np.ones(10), 0.01)
    with pytest.raises(ValueError, match="one point"):
        non_inferiority(right, right, 1.0)
    with pytest.raises(ValueError, match="confidence"):
        non_inferiority(right, right, 0.01, confidence=95)
    with pytest.raises(ValueError, match="within n"):
        exact_margin_p(6, 5, 10, 0.01)


# --- how many examples


def test_examples_needed_by_hand() -> None:
    # 3 % disagreement, margin one point, no true drop. V1 = 0.03; V0 = 2 g + 0.01 * 0.99 with
    # 2 g^2 + (0.02 - 0.03) g - 0.015 * 0.01 * 0.99 = 0, so g = 0.011484 and V0 = 0.032867;
    # z(0.951) = 1.6546, z(0.8) = 0.8416: (1.6546 * 0.18129 + 0.8416 * 0.17321)^2 / 0.01^2.
    assert examples_needed(0.03, 0.01) == pytest.approx(1986, abs=1)


def test_examples_needed_gives_its_power() -> None:
    n = examples_needed(0.05, 0.02) or 0
    rng = np.random.default_rng(5)
    draws = rng.multinomial(n, [0.025, 0.025, 0.95], size=800)
    found = [exact_margin_p(int(a), int(b), n, 0.02) <= 0.05 for a, b, _ in draws]
    assert 0.76 <= np.mean(found) <= 0.86


def test_examples_needed_edges() -> None:
    assert examples_needed(0.0, 0.01) == 301
    assert examples_needed(0.05, 0.01, drop=0.01) is None
    nearer = [examples_needed(0.05, 0.01, drop=d) or 0 for d in (0.0, 0.003, 0.006)]
    assert nearer == sorted(nearer)
    farther = [examples_needed(0.08, 0.01, drop=d) or 0 for d in (0.02, 0.04, 0.08)]
    assert farther == sorted(farther, reverse=True)
    with pytest.raises(ValueError, match="disagreement"):
        examples_needed(0.01, 0.01, drop=0.05)


# --- arbitrary metrics


def test_paired_t_by_hand() -> None:
    # Differences 1, 2, 3, 4, 5: mean 3, half-width 2.776 * sqrt(2.5 / 5).
    interval = mean_difference_interval([2.0, 4, 6, 8, 10], [1.0, 2, 3, 4, 5])
    assert interval.value == 3.0
    assert interval.high == pytest.approx(3 + 2.776445 * math.sqrt(0.5), rel=1e-6)
    same = mean_difference_interval([1.0, 2.0], [1.0, 2.0])
    assert (same.value, same.low, same.note) == (0.0, None, "every difference is the same")


def test_bca_keeps_the_pairing() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(10, 5, 200)
    worse = scores - 0.1 + 0.05 * rng.standard_normal(200)
    interval = bca_interval(lambda a, b: float(np.mean(a) - np.mean(b)), (scores, worse))
    # Unpaired, the interval would be twenty times as wide as the effect.
    assert interval.low == pytest.approx(0.1, abs=0.02)
    assert interval.high == pytest.approx(0.1, abs=0.02)
    assert (interval.low or 0) < interval.value < (interval.high or 0)


def test_bca_corrects_for_skew_and_is_seeded() -> None:
    # The variance of exponential data is skewed to the right, and so must its interval be.
    data = (np.random.default_rng(2).exponential(1.0, 60),)
    interval = bca_interval(lambda x: float(np.var(x)), data, seed=3)
    assert (interval.high or 0) - interval.value > 1.5 * (interval.value - (interval.low or 0))
    assert interval == bca_interval(lambda x: float(np.var(x)), data, seed=3)
    assert interval != bca_interval(lambda x: float(np.var(x)), data, seed=4)


def test_bca_takes_rows_of_any_shape() -> None:
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 3, 80), rng.random((80, 3))
    interval = bca_interval(
        lambda y, s: float(np.mean(np.argmax(s, axis=1) == y)), (labels, scores), resamples=1000
    )
    assert (interval.low or 0) < interval.value < (interval.high or 0)
    assert interval.n == 80


def test_bca_refuses_what_it_cannot_do() -> None:
    same = bca_interval(lambda x: float(np.mean(x)), (np.ones(20),), resamples=1000)
    assert (same.value, same.low, same.high) == (1.0, None, None)
    assert same.note
    with pytest.raises(ValueError, match="common length"):
        bca_interval(lambda a, b: 0.0, (np.ones(3), np.ones(4)))
    with pytest.raises(ValueError, match="1000"):
        bca_interval(lambda a: 0.0, (np.ones(3),), resamples=10)
