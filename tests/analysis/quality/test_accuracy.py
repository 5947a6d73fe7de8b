import numpy as np
import pytest

from profiler.analysis.choice.choose import choose
from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.quality.damage import chance, damage
from profiler.errors import InputError
from profiler.schema.columns import row_of
from profiler.schema.study.data import DataSpec
from profiler.schema.study.measure import Slo


def scores(classes, count=4, strength=5.0):
    return (np.eye(count)[classes] * strength).astype(np.float32)


def accuracy(base, other, labels, **more):
    labels = None if labels is None else np.asarray(labels)
    return Accuracy(
        outputs={"b": base, "v": other}, baselines={"b": "b", "v": "b"}, task="classification",
        labels=labels, numbers=np.arange(len(base)) * 10, **more,
    )  # fmt: skip


def test_chance_is_the_exact_draw():
    step = np.array([-1, -1, -1, 0, 0, 0, 0, 0, 0, 1])
    generator = np.random.default_rng(0)
    drawn = [-generator.choice(step, 4, replace=False).sum() >= 2 for _ in range(40_000)]
    assert chance(2, 4, step) == pytest.approx(np.mean(drawn), abs=0.01)
    assert chance(-9, 4, step) == pytest.approx(1.0)


def test_damage_in_one_slice_is_found_and_an_even_loss_is_not():
    groups = {"class": np.repeat(np.arange(5), 60).astype(str)}
    base, variant = np.ones(300, bool), np.ones(300, bool)
    variant[:6] = False
    assert [c.value for c in damage(base, variant, groups) if c.damaged] == ["0"]
    variant[::10] = False
    variant[:6] = True
    assert not any(c.damaged for c in damage(base, variant, groups))


def test_flips_name_the_rows_of_the_file():
    found = accuracy(scores([0, 1, 2, 3]), scores([0, 2, 1, 0]), [0, 1, 1, 2]).flips("v")
    assert [(r["row"], r["direction"]) for r in found] == [
        (10, "lost"), (20, "gained"), (30, "changed"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="is a baseline"):
        accuracy(scores([0]), scores([0]), [0]).flips("b")


def test_without_labels_there_is_agreement_only():
    rows = accuracy(scores([0, 1]), scores([0, 2]), None).rows()
    assert rows["b"] == {}
    assert rows["v"]["flips"] == 1
    assert "accuracy" not in rows["v"]


def test_costs_of_decisions():
    made = accuracy(
        scores([0, 1, 0, 0], 2),
        scores([0, 0, 0, 0], 2),
        [0, 1, 0, 0],
        spec=DataSpec(file="d", labels="y", costs=((0, 1), (100, 0))),
    )
    rows = made.rows()
    assert rows["b"]["decision_cost"] == 0
    assert rows["v"]["decision_cost"] == rows["v"]["decision_cost_more"] == 25


def test_a_worse_variant_is_never_chosen():
    row = {"status": "ok", "reason": None, "threads": 1, "accuracy": 0.9}
    fast = {**row, "trial": "fast", "p50_ns": 1.0, "p50_low_ns": 1.0, "p50_high_ns": 1.0,
            "quality": "worse", "drop": 0.08, "drop_low": 0.05, "drop_high": 0.11}  # fmt: skip
    slow = {**row, "trial": "slow", "p50_ns": 9.0, "p50_low_ns": 9.0, "p50_high_ns": 9.0}
    fast, slow = row_of(fast), row_of(slow)
    choice = choose([fast, slow], Slo(), "p50", separated=lambda best, rivals: rivals)
    assert choice.trial == "slow"
    assert choice.rejected == (
        ("fast", "worse than its baseline: 8.0 points lost (5.0 to 11.0), more than the margin"),
    )
    assert choose([fast], Slo(), "p50", separated=lambda best, rivals: rivals).trial is None
