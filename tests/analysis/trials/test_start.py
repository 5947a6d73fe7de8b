"""Load, first query and steady state over fresh processes."""

import pytest

from profiler.analysis.trials.start import columns
from profiler.wire.messages import Repetition, Start


def cold(number: int) -> Repetition:
    starts = tuple(Start(100 + 10 * i, 50 + number, 5 + i) for i in range(3))
    return Repetition(trial="t", round=number, status="ok", load_ns=1, starts=starts)


def test_every_cold_start_counts() -> None:
    row = columns([cold(n) for n in range(4)], adaptive=False)
    assert row["processes"] == 12
    assert row["load_low_ns"] < row["load_ns"] < row["load_high_ns"]
    assert row["load_ns"] == pytest.approx((100 * 110 * 120) ** (1 / 3))
    assert row["steady_ns"] == pytest.approx((5 * 6 * 7) ** (1 / 3))


def test_elsewhere_a_round_is_one_process_and_has_no_steady_state_of_its_own() -> None:
    rounds = [
        Repetition(trial="t", round=n, status="ok", load_ns=100 + n, first_query_ns=7)
        for n in range(3)
    ]
    row = columns(rounds, adaptive=False)
    assert row["processes"] == 3
    assert row["load_ns"] == pytest.approx(101, abs=0.1)
    assert row["load_low_ns"] is None, "three rounds give no interval"
    assert row["steady_ns"] is None
    assert set(columns([], adaptive=False).values()) == {None}
