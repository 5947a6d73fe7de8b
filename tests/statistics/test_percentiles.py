"""The one percentile method, and how many queries a percentile needs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.statistics.percentiles import METHOD, minimum_queries, percentile

values = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50)


def test_linear_interpolation_by_hand() -> None:
    # Hyndman & Fan type 7: position (n - 1) q = 2.7 between the third and the fourth of four.
    assert percentile([40, 10, 30, 20], 0.9) == pytest.approx(37.0)
    assert percentile([40, 10, 30, 20], 0.5) == 25.0
    assert METHOD == "linear"


def test_any_shape_is_pooled() -> None:
    assert percentile(np.array([[1, 2], [3, 4]]), 1.0) == 4.0


@pytest.mark.parametrize(("q", "n"), [(0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_minimum_queries_as_published(q: float, n: int) -> None:
    assert minimum_queries(q) == n
    assert q**n <= 0.025 < q ** (n - 1)


def test_minimum_queries_is_symmetric_and_grows_with_confidence() -> None:
    assert minimum_queries(0.1) == minimum_queries(0.9)
    assert minimum_queries(0.9, confidence=0.99) == 51  # log(0.005) / log(0.9) = 50.3


@pytest.mark.parametrize("q", [-0.1, 1.5, 99, 200, float("nan")])
def test_q_must_be_a_fraction(q: float) -> None:
    with pytest.raises(ValueError, match="fraction"):
        percentile([1.0], q)


def test_messages_say_what_to_type() -> None:
    with pytest.raises(ValueError, match=r"did you mean 0\.99"):
        minimum_queries(99)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="NaN"):
        percentile([1.0, float("nan")], 0.5)
    with pytest.raises(ValueError, match="extreme"):
        minimum_queries(1.0)
    with pytest.raises(ValueError, match="confidence"):
        minimum_queries(0.9, confidence=95)


@given(values, st.floats(0, 1), st.floats(0, 1))
def test_monotone_in_q_and_within_the_data(data: list[float], q: float, r: float) -> None:
    low, high = sorted((q, r))
    slack = 1e-9 * max(data)
    assert percentile(data, low) <= percentile(data, high) + slack
    assert min(data) - slack <= percentile(data, q) <= max(data) + slack


@given(values, st.floats(0, 1), st.floats(0.01, 100))
def test_scales_with_the_unit(data: list[float], q: float, factor: float) -> None:
    scaled = percentile([factor * x for x in data], q)
    assert scaled == pytest.approx(factor * percentile(data, q), rel=1e-9)
