"""Chances of counts and what is made of them: as scipy.stats has them."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, false_discovery_control, hypergeom

from profiler.analysis.quality.damage import chance
from profiler.statistics.binomial import binomial, hypergeometric
from profiler.statistics.paired import mcnemar_exact, proportion_interval
from profiler.statistics.rare import unseen_share
from profiler.statistics.ratio import benjamini_hochberg


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.03, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 17, 50_000])
def test_binomial(n: int, share: float) -> None:
    k = np.arange(n + 1)
    expected = binom.pmf(k, n, share)
    assert binomial(k, n, np.array(share)) == pytest.approx(expected, rel=1e-7, abs=1e-200)


@pytest.mark.parametrize(("total", "marked"), [(10, 0), (10, 4), (10, 10), (50_000, 700)])
def test_hypergeometric(total: int, marked: int) -> None:
    k, drawn = np.arange(-1, 12), np.array([0, 3, total // 2, total])[:, None]
    expected = hypergeom.pmf(k, total, marked, drawn)
    assert hypergeometric(k, total, marked, drawn) == pytest.approx(expected, rel=1e-6, abs=1e-200)


def test_losses_among_rows_drawn_at_random() -> None:
    """As counted over draws: 30 rows, 4 lost and 3 gained, at least 2 net losses among 9."""
    step = np.repeat([-1, 0, 1], [4, 23, 3])
    rng = np.random.default_rng(0)
    draws = np.array([rng.permutation(step)[:9].sum() for _ in range(20_000)])
    assert chance(2, 9, step) == pytest.approx(np.mean(draws <= -2), abs=0.01)
    assert chance(-3, 9, step) == pytest.approx(1.0)
    gained = np.repeat([-1, 0, 1], [1, 1, 8])  # more rows drawn than did not gain
    assert chance(-8, 9, gained) == pytest.approx(1.0)
    assert chance(-6, 9, gained) == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 20), (1, 20), (97, 100), (500, 500)])
def test_proportions(right: int, n: int) -> None:
    found, known = proportion_interval(right, n), binomtest(right, n)
    assert (found.low, found.high) == pytest.approx(
        tuple(known.proportion_ci(0.95, method="wilson")), abs=1e-12
    )
    if right < 5:
        assert unseen_share(right, n) == pytest.approx(
            known.proportion_ci(0.95, method="exact").high - right / n, abs=1e-12
        )


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (1, 0), (5, 5), (3, 11), (400, 300)])
def test_disagreements(lost: int, gained: int) -> None:
    expected = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert mcnemar_exact(lost, gained) == pytest.approx(expected, rel=1e-10)


def test_false_discoveries() -> None:
    p = np.random.default_rng(1).uniform(size=40) ** 3
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p), rel=1e-12)
    assert benjamini_hochberg([]).size == 0
