"""The trimmed mean of log ratios: against scipy, and what it is for."""

import math

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from profiler.analysis.choice.across import welch_ratio
from profiler.statistics.centre import (
    ADAPTIVE_FACTOR,
    ADAPTIVE_FACTOR_TRIMMED,
    TRIMMED_FACTOR,
    mean,
    trimmed_freedom,
    trimmed_mean,
)


@pytest.mark.parametrize("rounds", [8, 9, 10, 14, 28, 61])
def test_two_trimmed_means_are_yuens_test_in_scipy(rounds: int) -> None:
    generator = np.random.default_rng(rounds)
    first, second = generator.standard_t(3, rounds), 0.1 + 2 * generator.standard_t(3, 10)
    known = ttest_ind(first, second, equal_var=False, trim=0.2)
    a, b = trimmed_mean(first), trimmed_mean(second)
    assert (a.value - b.value) / math.hypot(a.error, b.error) == pytest.approx(known.statistic)
    found = welch_ratio(list(first), list(second))
    assert found.high is not None
    half = math.log(found.high / found.value)
    assert known.df == pytest.approx(
        (a.error**2 + b.error**2) ** 2 / (a.error**4 / a.freedom + b.error**4 / b.freedom)
    )
    level = 0.05 / TRIMMED_FACTOR
    assert half == pytest.approx(t.ppf(1 - level / 2, known.df) * math.hypot(a.error, b.error))


def test_interval_by_hand() -> None:
    # Ten logs, two cut at each end: mean of the middle 4.5. Winsorized: 2 2 2 3 4 5 6 7 7 7, whose
    # squares around 4.5 sum to 42.5; of six left: sqrt(42.5 / (6 * 5)).
    logs = np.array([-90.0, 1, 2, 3, 4, 5, 6, 7, 8, 90])
    centre = trimmed_mean(logs)
    assert centre.value == pytest.approx(4.5)
    assert centre.error == pytest.approx(math.sqrt(42.5 / 30))
    wanted = 0.05 * TRIMMED_FACTOR  # 2.570582 is the 97.5 % quantile of t with five degrees
    assert centre.reach(wanted, adaptive=False) == pytest.approx(2.570582 * centre.error)
    assert centre.p_value(2.570582 * centre.error, adaptive=False) == pytest.approx(wanted)


def test_looking_early_divides_the_error() -> None:
    logs = np.random.default_rng(1).standard_normal(20)
    for centre, factor in (
        (mean(logs), ADAPTIVE_FACTOR),
        (trimmed_mean(logs), ADAPTIVE_FACTOR_TRIMMED),
    ):
        wanted = t.ppf(1 - 0.05 / factor / 2, centre.freedom) * centre.error
        assert centre.reach(0.05, adaptive=True) == pytest.approx(wanted)
        assert centre.p_value(wanted, adaptive=True) == pytest.approx(0.05)
    assert ADAPTIVE_FACTOR_TRIMMED > ADAPTIVE_FACTOR


def test_fewer_than_eight_rounds_are_all_taken() -> None:
    logs = np.array([0.0, 1, 2, 3, 4, 5, 60])
    assert trimmed_mean(logs) == mean(logs)
    assert trimmed_freedom(7) == (6, (1.0, ADAPTIVE_FACTOR))
    assert trimmed_freedom(8) == (5, (TRIMMED_FACTOR, ADAPTIVE_FACTOR_TRIMMED))
    assert trimmed_mean(np.append(logs, 70.0)).value == pytest.approx((1 + 2 + 3 + 4 + 5 + 60) / 6)


def test_slow_processes_neither_move_nor_widen_it() -> None:
    logs = 0.003 * np.random.default_rng(2).standard_normal(20)
    spoiled = logs.copy()
    spoiled[logs.argmax()] = 0.4
    assert trimmed_mean(spoiled) == trimmed_mean(logs)
    assert trimmed_mean(spoiled).reach(0.05, adaptive=False) < 0.003
    assert mean(spoiled).reach(0.05, adaptive=False) > 0.03


def test_a_coarse_clock_is_not_taken_for_certainty() -> None:
    logs = np.array([0.0] * 8 + [0.01, -0.01])
    assert trimmed_mean(logs) == mean(logs)
    assert trimmed_mean(logs).spread_known
    assert not trimmed_mean(np.full(9, 0.01)).spread_known
