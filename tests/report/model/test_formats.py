from __future__ import annotations

import math

import numpy as np
import pytest

from profiler.errors import InputError
from profiler.report.model.formats import axes_for, axis_for, metric, ticks, wanted_axes
from profiler.schema.study.metrics import METRICS


def rows(column: str, values: list[float]):
    return [{column: value} for value in values]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("log", [True, False])
def test_ticks_are_round_inside_and_few(seed, log):
    random = np.random.default_rng(seed)
    low = float(10 ** random.uniform(-4, 4))
    high = low * float(random.uniform(1.05, 5000))
    found = ticks(low, high, log=log, most=8)
    assert 1 <= len(found) <= 9
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in found)
    assert list(found) == sorted(set(found))


def test_log_from_a_factor_of_ten():
    assert not axis_for(METRICS["p50"], rows("p50_ns", [1e6, 9e6]), 620).log
    assert axis_for(METRICS["p50"], rows("p50_ns", [1e6, 10e6]), 620).log


@pytest.mark.parametrize("values", [[1e6], [1e6, 3e6], [1e4, 9e7]])
def test_points_lie_inside_and_pixels_invert(values):
    axis = axis_for(METRICS["p50"], rows("p50_ns", values), 620)
    for value in values:
        pixel = axis.pixel(value / axis.factor, 620)
        assert 0 < pixel < 620
        assert axis.value(pixel, 620) == pytest.approx(value / axis.factor)


def test_one_point_is_not_a_close_up():
    row = {"p50_ns": 1e6, "p50_low_ns": 0.998e6, "p50_high_ns": 1.002e6}
    axis = axis_for(METRICS["p50"], [row], 620)
    assert axis.high / axis.low > 1.15


def test_accuracy_stays_within_0_and_100():
    row = {"accuracy": 0.999, "accuracy_low": 0.99, "accuracy_high": 1.0}
    axis = axis_for(METRICS["accuracy"], [row], 380)
    assert axis.high == 100
    assert axis.unit == "%"


def test_a_near_limit_is_shown_and_a_far_one_is_not():
    near = axis_for(METRICS["p50"], rows("p50_ns", [1e6, 2e6]), 620, limit=2.2e6)
    assert near.low <= 2.2e6 / near.factor <= near.high
    far = axis_for(METRICS["p50"], rows("p50_ns", [1e6, 2e6]), 620, limit=90e6)
    assert far.high < 90e6 / far.factor


def test_missing_accuracy_gives_way_to_memory_then_size():
    only = [{"p50_ns": 1.0, "accuracy": None, "memory_peak_bytes": 5, "file_bytes": 7}]
    assert axes_for(("p50", "accuracy"), only)[1] is METRICS["memory"]
    only[0]["memory_peak_bytes"] = None
    assert axes_for(("p50", "accuracy"), only)[1] is METRICS["size"]
    assert axes_for(("p50", "memory"), only) == (METRICS["p50"], METRICS["size"])


@pytest.mark.parametrize(
    ("objectives", "columns"),
    [
        (("p99", "memory", "cost"), ("p99_ns", "memory_peak_bytes")),
        (("throughput",), ("throughput", "accuracy")),
        (("accuracy",), ("accuracy", "p50_ns")),
    ],
)
def test_any_number_of_objectives(objectives, columns):
    assert tuple(m.column for m in wanted_axes(objectives)) == columns


def test_unknown_objective():
    with pytest.raises(InputError, match="speed"):
        metric("speed")


def test_every_metric_that_is_drawn_has_an_axis():
    for which in (metric(name) for name in METRICS if METRICS[name].title):
        axis = axis_for(which, rows(which.column, [0.5, 0.7]), 300)
        assert math.isfinite(axis.low)
        assert axis.title
