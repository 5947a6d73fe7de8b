import numpy as np
import pytest

from profiler.analysis.quality.verdicts import regression
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


def test_regression_gets_a_verdict():
    generator = np.random.default_rng(0)
    truth = generator.standard_normal(400)
    base = truth + generator.standard_normal(400) * 0.1
    outputs = {
        "b": base,
        "near": base + generator.standard_normal(400) * 0.001,
        "far": base + generator.standard_normal(400) * 0.5,
        "same": base.copy(),
    }
    rows = regression(outputs, dict.fromkeys(outputs, "b"), truth, 0.01, 0)
    verdicts = {trial: row.get("quality") for trial, row in rows.items()}
    assert verdicts == {
        "b": None, "near": "non-inferior", "far": "worse", "same": "non-inferior",
    }  # fmt: skip
    few = {trial: output[:40] for trial, output in outputs.items()}
    few["far"] = few["b"] + generator.standard_normal(40) * 0.1
    row = regression(few, dict.fromkeys(few, "b"), truth[:40], 0.01, 0)["far"]
    assert row["quality"] == "undecided"
    assert row["quality_n_needed"] > 40
