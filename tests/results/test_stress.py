"""What is worth a warning among the probes."""

import pytest

from profiler.results.stress import Failure, Stress
from profiler.schema.record.recorded import Probe


def probe(trial, case, outcome, detail="told"):
    return Probe(target="t", trial=trial, case=case, outcome=outcome, detail=detail, wall_ns=1,
                 plain_ns=1)  # fmt: skip


def stress(*probes, **more):
    return Stress(probes=probes, baselines={"b": "b", "v": "b"}, answered_by={"v2": "v"}, **more)


@pytest.mark.parametrize("outcome", ["wrong answer", "crash", "timeout", "out of memory"])
def test_what_nobody_may_ship_is_told(outcome):
    found = stress(probe("v", "empty_batch", outcome)).warnings("v")
    assert found == [f"asked for empty batch: {outcome} (told)"]


def test_a_refusal_is_what_a_bad_query_should_get():
    assert (
        stress(probe("v", "wrong_shape", "error"), probe("v", "nan", "NaN out")).warnings("v") == []
    )


def test_nan_that_disappears_is_told_when_the_baseline_shows_it():
    hides = probe("v", "nan", "answer")
    assert stress(hides, probe("b", "nan", "NaN out")).warnings("v") == [
        "an input of NaN gets a finite answer; its baseline's: NaN out"
    ]
    assert stress(hides, probe("b", "nan", "answer")).warnings("v") == []
    assert (
        stress(probe("v", "extremes", "answer"), probe("b", "extremes", "NaN out")).warnings("v")
        == []
    )


def test_trials_of_one_recipe_share_their_warnings():
    failed = Failure(trial="v", perturbation="blur", severity=2, reason="crashed: SIGSEGV")
    found = stress(failures=(failed,))
    assert found.warnings("v2") == ["blur 2: crashed: SIGSEGV"]
    assert found.warnings("b") == []
