"""What is told when nothing is proven, and what looser limits would choose."""

from collections.abc import Sequence
from typing import Any

import pytest

from profiler.analysis.choice import near
from profiler.analysis.choice.choose import Choice, choose
from profiler.analysis.choice.explore import Step, steps
from profiler.schema.columns import Row, row_of
from profiler.schema.study.measure import Slo


def row(name: str, p99_us: float, half: float = 0.1, **more: Any) -> Row:
    ns = p99_us * 1e3
    values: dict[str, Any] = {
        "trial": name, "status": "ok", "threads": 1, "rounds": 8, "p99_ns": ns,
        "p99_low_ns": ns * (1 - half), "p99_high_ns": ns * (1 + half),
        "p50_ns": ns / 2, "p50_low_ns": 0.49 * ns, "p50_high_ns": 0.51 * ns,
    }  # fmt: skip
    return row_of({**values, **more})


def chosen(rows: Sequence[Row], slo: Slo) -> Choice:
    return choose(rows, slo, "p50", separated=lambda best, rivals: ())


LIMIT = Slo(p99=1_000_000)


def test_the_most_probable_is_named_with_what_would_decide_it() -> None:
    rows = [row("slow", 5000), row("maybe", 1050, half=0.2), row("likely", 950)]
    reason = chosen(rows, LIMIT).reason
    assert reason == (
        "nothing demonstrably keeps every limit; 2 can't be decided yet; most probable is likely"
        " (84%): p99 855 µs to 1.05 ms spans the limit of 1.00 ms; about 23 more rounds would"
        " decide it"
    )


def test_probability_is_that_of_the_interval() -> None:
    """On the limit it is a half, at the end of the interval 97.5 %."""
    even = near.candidate([row("even", 1000)], LIMIT)
    assert even is not None
    assert even.probability == pytest.approx(0.5, abs=1e-9)
    assert even.times == float("inf")
    end = near.candidate([row("end", 1000, p99_low_ns=0.8e6, p99_high_ns=1.25e6, p99_ns=0.9e6)],
                         Slo(p99=1_125_000))  # fmt: skip
    assert end is not None
    assert end.probability == pytest.approx(0.975, abs=0.01)


def test_two_open_limits_are_less_probable_than_one() -> None:
    one = row("one", 950, accuracy=0.96, accuracy_low=0.95, accuracy_high=0.97)
    two = row("two", 950, accuracy=0.91, accuracy_low=0.89, accuracy_high=0.93)
    slo = Slo(p99=1_000_000, min_accuracy=0.9)
    best = near.candidate([two, one], slo)
    assert best is not None
    assert best.row["trial"] == "one"
    told = near.in_words([two], slo)
    assert "4.0 times as many labelled rows" in told or "more rounds" in told


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("a", 2000), row("b", 1300)], "the closest is b, whose p99 breaks its limit by 30 %"),
        ([row("a", 1300, status="failed"), row("b", 2000)], "the closest is b"),
        ([row("a", 1300, quality="worse"), row("b", 2000)], "the closest is b"),
        ([row("a", 1300, p99_low_ns=None, p99_high_ns=None)], "the closest is a"),
        ([row("a", 1000, p99_ns=None, p99_low_ns=None, p99_high_ns=None)], ""),
        ([], ""),
    ],
)
def test_the_closest_where_nothing_can(rows: list[Row], told: str) -> None:
    assert told in near.in_words(rows, LIMIT)
    assert (near.in_words(rows, LIMIT) == "") == (told == "")


def test_a_loss_is_told_in_points() -> None:
    rows = [row("a", 10, gap=0.03, gap_low=0.02, gap_high=0.04)]
    assert near.in_words(rows, Slo(max_drop=0.01)) == (
        "; the closest is a, whose drop breaks its limit by 2.0 points"
    )


def test_looser_limits_change_the_winner_where_a_trial_comes_to_keep_them() -> None:
    rows = [
        row("best", 3000, p50_ns=1.0, p50_low_ns=1.0, p50_high_ns=1.0),
        row("good", 2000, p50_ns=5.0, p50_low_ns=5.0, p50_high_ns=5.0),
        row("kept", 100, p50_ns=9e9, p50_low_ns=9e9, p50_high_ns=9e9),
    ]
    found = steps(rows, LIMIT, lambda slo: chosen(rows, slo))
    assert found == [
        Step(limit="p99", value="2.20 ms", trial="good"),
        Step(limit="p99", value="3.30 ms", trial="best"),
    ]
    assert chosen(rows, LIMIT).trial == "kept"
    assert steps(rows[2:], LIMIT, lambda slo: chosen(rows[2:], slo)) == []


def test_more_is_better_loosens_downwards() -> None:
    rows = [
        row("rough", 1, accuracy=0.8, accuracy_low=0.79, accuracy_high=0.81, p50_ns=1.0,
            p50_low_ns=1.0, p50_high_ns=1.0),
        row("fine", 1, accuracy=0.95, accuracy_low=0.94, accuracy_high=0.96),
    ]  # fmt: skip
    found = steps(rows, Slo(min_accuracy=0.9), lambda slo: chosen(rows, slo))
    assert found == [Step(limit="min_accuracy", value="79.0 %", trial="rough")]
