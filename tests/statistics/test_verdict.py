import pytest

from profiler.statistics.verdict import LEAST_ROWS, interval_verdict


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(-0.01, 0.009, "non-inferior"), (0.011, 0.03, "worse"), (0.0, 0.011, "undecided"),
     (0.009, 0.02, "undecided")],
)  # fmt: skip
def test_the_whole_interval_decides(low, high, wanted):
    assert interval_verdict((low + high) / 2, low, high, 100, 0.01)[0] == wanted


def test_rows_needed_grow_with_the_square_of_the_width():
    assert interval_verdict(0.0, -0.02, 0.02, 100, 0.01) == ("undecided", 400)
    assert interval_verdict(0.02, 0.0, 0.04, 100, 0.01) == ("undecided", 400)
    assert interval_verdict(-0.01, -0.05, 0.03, 100, 0.01) == ("undecided", 1600)
    assert interval_verdict(0.01, 0.0, 0.02, 100, 0.01) == ("undecided", None)


def test_few_rows_decide_nothing():
    assert interval_verdict(0.0, 0.0, 0.0, LEAST_ROWS - 1, 0.01) == ("undecided", LEAST_ROWS)
