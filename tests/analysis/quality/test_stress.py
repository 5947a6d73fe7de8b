"""The extra loss under stress: paired, corrected for many cells, honest about what is unknown."""

import numpy as np
import pytest

from profiler.analysis.quality.stress import broken, columns, judge, representatives, words
from profiler.schema.record.plan import Trial
from profiler.tasks.stressed import ByClass

BASE = {"b": "b", "v": "b"}


def answers(right, labels):
    """Classes that are right where `right` says so."""
    return np.where(right, labels, (labels + 1) % 10).astype(np.int32)


def trial(name, **more):
    fields = {
        "id": name, "model": "m", "variant": "fp32", "recipe": "fp32", "target": "t",
        "provider": "p", "threads": 1, "scenario": "single_stream", "batch": 1, "baseline": name,
    }  # fmt: skip
    return Trial(**{**fields, **more})


def test_only_what_exceeds_the_baselines_loss_counts():
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 800)
    hurt = random.uniform(size=800) < 0.5  # both lose half of their answers
    worse = hurt & (random.uniform(size=800) < 0.6)
    found = judge(
        {
            ("b", "blur", 3): answers(hurt, labels),
            ("v", "blur", 3): answers(hurt, labels),
            ("b", "jpeg", 3): answers(hurt, labels),
            ("v", "jpeg", 3): answers(worse, labels),
        },
        BASE, labels, "classification", 0.01,
    )  # fmt: skip
    by_cell = {(p.trial, p.perturbation): p for p in found}
    assert by_cell["v", "blur"].drop == 0
    assert by_cell["v", "blur"].verdict == "non-inferior"
    assert by_cell["v", "jpeg"].verdict == "worse"
    assert by_cell["v", "jpeg"].drop == pytest.approx((hurt & ~worse).mean())
    assert by_cell["b", "jpeg"].verdict is None
    assert columns(found, "v")["stress_worst"] == "jpeg 3"
    assert "jpeg from severity 3" in columns(found, "v")["stress_broken"]
    assert columns(found, "b")["stress_broken"] is None


def test_a_sound_variant_is_rarely_called_broken():
    """True extra loss at the margin in each of 45 cells: at most 5 % of studies may say 'worse'."""
    random = np.random.default_rng(1)
    labels, studies, false, naive = np.zeros(400, int), 60, 0, 0
    for _ in range(studies):
        cells = {}
        for k in range(45):
            draw = random.uniform(size=400)
            cells["b", "blur", k + 1] = answers(draw > 0.05, labels)  # 5 % only the variant has
            cells["v", "blur", k + 1] = answers((draw <= 0.05) | (draw > 0.12), labels)
        points = [p for p in judge(cells, BASE, labels, "classification", 0.02) if p.drop]
        false += any(p.verdict == "worse" for p in points)
        naive += any(
            ByClass().loss(cells["b", "blur", p.severity], cells["v", "blur", p.severity],
                           labels, 0.02, 0.95).p_more <= 0.05
            for p in points if p.trial == "v"
        )  # fmt: skip
    assert false <= 0.05 * studies + 3
    assert naive > 0.5 * studies, "without the correction most studies would"


def test_rows_that_are_not_finite_are_wrong_and_counted():
    scores = np.array([[1.0, 2.0], [np.nan, 1.0], [3.0, 0.0]], np.float32)
    assert ByClass().reduced(scores).tolist() == [1, -1, 0]
    labels = np.array([1, 0, 0])
    [point] = judge({("b", "blur", 1): ByClass().reduced(scores)}, BASE, labels,
                    "classification", 0.01)  # fmt: skip
    assert point.not_finite == 1
    assert point.accuracy == pytest.approx(2 / 3)


def test_without_labels_the_share_of_other_answers_is_shown_and_nothing_is_claimed():
    base = np.arange(100, dtype=np.int32) % 3
    variant = base.copy()
    variant[:10] = 9
    found = judge({("b", "blur", 1): base, ("v", "blur", 1): variant}, BASE, None,
                  "classification", 0.01)  # fmt: skip
    point = next(p for p in found if p.trial == "v")
    assert point.drop == pytest.approx(0.1)
    assert point.verdict is None
    assert point.accuracy is None


def test_regression_compares_squared_errors_in_pairs():
    random = np.random.default_rng(2)
    truth = random.normal(size=500)
    base = truth + random.normal(0, 0.3, 500)
    cells = {
        ("b", "missing", 1): base, ("v", "missing", 1): base + random.normal(0, 0.01, 500),
        ("b", "missing", 2): base, ("v", "missing", 2): base + random.normal(0, 0.6, 500),
        ("b", "missing", 3): base, ("v", "missing", 3): np.where(truth > 2, np.nan, base),
    }  # fmt: skip
    found = {p.severity: p for p in judge(cells, BASE, truth, "regression", 0.02)
             if p.trial == "v"}  # fmt: skip
    assert found[1].verdict == "non-inferior"
    assert found[2].verdict == "worse"
    assert found[2].drop == pytest.approx(0.36, abs=0.1)
    assert found[3].verdict == "worse"
    assert found[3].drop is None
    assert "not finite" in words(found[3])


def test_the_mildest_severity_is_named():
    labels = np.zeros(600, int)
    cells = {}
    for severity, share in ((1, 0.99), (3, 0.6), (5, 0.3)):
        cells["b", "blur", severity] = answers(np.ones(600, bool), labels)
        cells["v", "blur", severity] = answers(np.arange(600) < share * 600, labels)
    found = broken(judge(cells, BASE, labels, "classification", 0.05), "v")
    assert [(p.perturbation, p.severity) for p in found] == [("blur", 3)]


def test_threads_and_batch_share_an_answer_but_precision_does_not():
    first = representatives(
        [
            trial("a"), trial("b", threads=2), trial("c", batch=8), trial("d", variant="int8"),
            trial("e", optimization="basic"), trial("f", session_options={"x": "1"}),
        ]
    )  # fmt: skip
    assert first == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": "f"}


def test_a_batch_stands_for_no_other_where_it_changes_what_is_computed():
    def trial(recipe, batch, threads=1):
        return Trial(
            id=f"{recipe}/b{batch}/t{threads}", model="m", variant=recipe, recipe=recipe,
            target="t", provider="CPUExecutionProvider", threads=threads, scenario="offline",
            batch=batch, baseline="x",
        )  # fmt: skip

    trials = [trial(r, b) for r in ("fp32", "int8-static", "int8-dynamic", "file") for b in (1, 32)]
    found = representatives([*trials, trial("int8-dynamic", 32, threads=2)])
    assert found["fp32/b32/t1"] == "fp32/b1/t1"
    assert found["int8-static/b32/t1"] == "int8-static/b1/t1"
    assert found["int8-dynamic/b32/t1"] == "int8-dynamic/b32/t1"
    assert found["int8-dynamic/b32/t2"] == "int8-dynamic/b32/t1"
    assert found["file/b32/t1"] == "file/b32/t1"
