"""Trials against the best of them: what equal trials may be called, and how often."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from profiler.analysis.choice.relative import separated


def apart(logs: Any) -> set[str]:
    """Whom the fastest of some trials of one target is told apart from; logs: (trials, rounds)."""
    p50 = {
        str(trial): {(0, number): float(value) for number, value in enumerate(np.exp(own))}
        for trial, own in enumerate(logs)
    }
    trials: Any = dict.fromkeys(p50, SimpleNamespace(target="one"))
    order = [str(trial) for trial in np.argsort(logs.mean(axis=1))]
    return set(
        separated(trials, p50, delta=0.01, adaptive=False)(order[0], order[1:]),
    )


@pytest.mark.parametrize("count", [2, 30])
def test_the_best_of_equal_trials_is_told_apart_from_one_in_5_of_100_choices_at_most(
    count: int,
) -> None:
    rng = np.random.default_rng(3)
    wrong = sum(bool(apart(0.01 * rng.standard_normal((count, 10)))) for _ in range(100))
    assert wrong <= 5


def test_a_real_difference_is_told_though_many_trials_are_compared() -> None:
    logs = 0.002 * np.random.default_rng(3).standard_normal((30, 10))
    logs[1:] += 0.03
    assert apart(logs) == {str(trial) for trial in range(1, 30)}
