"""Whom `choose` prefers when limits and times leave several. Each test failed on broken code."""

from collections.abc import Sequence
from typing import Any

import pytest

from profiler.analysis.choice.choose import choose
from profiler.analysis.choice.slo import check, overall
from profiler.schema.columns import Row, row_of
from profiler.schema.study.measure import Slo


def row(name: str, **more: Any) -> Row:
    values: dict[str, Any] = {
        "trial": name, "status": "ok", "reason": None, "threads": 1, "accuracy": 0.9,
        "p50_ns": 500, "p50_low_ns": 490, "p50_high_ns": 510,
        "drop": 0.0, "drop_low": -0.01, "drop_high": 0.01,
    }  # fmt: skip
    return row_of(values, more)


def never(_best: str, _rivals: Sequence[str]) -> Sequence[str]:
    return ()


def test_a_variant_called_worse_is_never_recommended() -> None:
    bad = row("bad", p50_ns=5, p50_low_ns=5, p50_high_ns=6, quality="worse", drop=0.1,
              drop_low=0.08, drop_high=0.12, damaged="class 3")  # fmt: skip
    choice = choose([bad, row("good")], Slo(), "p50", separated=never)
    assert choice.trial == "good"
    assert "10.0 points lost (8.0 to 12.0)" in dict(choice.rejected)["bad"]
    assert choose([bad], Slo(), "p50", separated=never).trial is None


def test_of_ties_the_cheaper_wins_though_it_takes_more_threads() -> None:
    rows = [row("dear", cost_per_million=2.0), row("cheap", cost_per_million=1.0, threads=4)]
    assert choose(rows, Slo(), "p50", separated=never).trial == "cheap"


@pytest.mark.parametrize(("more_bytes", "wins"), [(1_000_000, "small file"), (40_000_000, "lean")])
def test_memory_decides_a_tie_only_beyond_what_equal_runs_differ_by(
    more_bytes: int, wins: str
) -> None:
    lean = row("lean", memory_peak_bytes=100_000_000, file_bytes=2)
    other = row("small file", memory_peak_bytes=100_000_000 + more_bytes, file_bytes=1)
    assert choose([lean, other], Slo(), "p50", separated=never).trial == wins


@pytest.mark.parametrize(
    ("limit", "outcome"), [(510, "met"), (509, "undecided"), (490, "undecided"), (489, "missed")]
)
def test_a_limit_at_the_end_of_an_interval_counts_as_kept_there(limit: int, outcome: str) -> None:
    assert overall(check(row("a"), Slo(p50=limit))) == outcome
