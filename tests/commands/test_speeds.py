"""What is printed where a machine has two speeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from profiler.analysis.trials.samples import Samples, Taken
from profiler.analysis.trials.speeds import in_words, own_levels
from profiler.commands import compare
from profiler.schema.columns import row_of
from profiler.statistics.intervals import Estimate
from profiler.statistics.ratio import Comparison
from profiler.wire.messages import Repetition


class Found:
    """Results with one comparison."""

    rounds: Sequence[Any] = ()

    def __init__(self, slowed: Estimate | None) -> None:
        ratio = Estimate(value=0.646, low=0.6441, high=0.6479, rounds=112)
        self.found = Comparison(
            ratio=ratio, p_difference=0.0, p_equivalence=1.0, verdict="faster", rounds_needed=None,
            slowed=slowed, slowed_share=0.65 if slowed else None,
        )  # fmt: skip

    def compare(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Comparison]:
        return dict.fromkeys(pairs, self.found)


@pytest.mark.parametrize("two", [True, False])
def test_a_comparison_tells_the_ratio_at_each_speed(
    two: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    slowed = Estimate(value=0.73, low=0.7251, high=0.7349, rounds=112) if two else None
    found: Any = Found(slowed)
    compare.trials(found, "m/int8", ["m/fp32"], json=False)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert ("slow 65% of the time" in printed) is two
    assert ("0.7300, 95 % interval 0.7251 to 0.7349 (112 rounds) when slowed" in printed) is two
    assert "ratio 0.6460, 95 % interval 0.6441 to 0.6479 (112 rounds)" in printed


def test_the_speeds_in_words() -> None:
    rows = [
        row_of({"full_ns": 278e3, "slowed_ns": 370e3, "slowed_share": 0.65}),
        row_of({"full_ns": 182e3, "slowed_ns": 273e3, "slowed_share": 0.65}),
        row_of({}),
    ]
    assert in_words(rows) == (
        "two speeds of the machine: slow 65% of the time, then trials take 33–50% longer"
    )
    assert in_words(rows[2:]) is None


def of_rounds(slow: float, trial: str = "t") -> dict[str, Samples]:
    rng = np.random.default_rng(1)
    found = Samples(trial=trial)
    for number in range(6):
        lifted = 1e6 * np.where(rng.random(300) < slow, 1.3, 1.0)
        values = (lifted * np.exp(0.01 * rng.standard_normal(300))).astype(np.int64)
        made = Repetition(trial=trial, round=number, status="ok")
        found.taken[(0, number)] = Taken(repetition=made, latencies=values)
    return {trial: found}


def test_levels_of_one_trial_are_told() -> None:
    row = row_of({"trial": "t", "scenario": "single_stream"})
    (told,) = own_levels([row], of_rounds(0.4))
    assert told == "t has two levels: 1.00 ms 52% and 1.30 ms 48% of the time"
    assert own_levels([row], of_rounds(0.0)) == []
    assert own_levels([{**row, "slowed_share": 0.4}], of_rounds(0.4)) == [], "the machine's"
    assert own_levels([{**row, "scenario": "server"}], of_rounds(0.4)) == [], "a queue's"
