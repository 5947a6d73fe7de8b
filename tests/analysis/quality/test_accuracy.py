import numpy as np
import pytest

from profiler.analysis.choice.choose import choose
from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.quality.agreement import compare, divergence, probabilities
from profiler.analysis.quality.damage import chance, damage
from profiler.analysis.quality.task_metrics import (
    calibration_error,
    classification,
    regression,
    reliability,
)
from profiler.errors import InputError
from profiler.schema.study.data import DataSpec
from profiler.schema.study.study import Slo


def scores(classes, count=4, strength=5.0):
    return (np.eye(count)[classes] * strength).astype(np.float32)


def accuracy(base, other, labels, **more):
    labels = None if labels is None else np.asarray(labels)
    return Accuracy(
        outputs={"b": base, "v": other}, baselines={"b": "b", "v": "b"}, task="classification",
        labels=labels, numbers=np.arange(len(base)) * 10, **more,
    )  # fmt: skip


def test_agreement_of_known_outputs():
    base = np.array([[3.0, 4.0], [1.0, 0.0]])
    row = compare(base, base + np.array([[0.0, 0.5], [0.0, 0.0]]), True)
    assert row["max_abs"] == 0.5
    assert row["sqnr_db"] == pytest.approx(10 * np.log10(26 / 0.25))
    assert (row["agreement"], row["flips"]) == (1.0, 0)
    assert compare(base, base[:, ::-1], True)["flips"] == 2
    same = compare(base, base, True)
    assert (same["sqnr_db"], same["cosine"], same["kl"]) == (None, 1.0, 0.0)


def test_agreement_survives_what_is_not_finite():
    row = compare(np.ones((2, 2)), np.array([[np.nan, 1.0], [np.inf, 1.0]]), False)
    assert row["max_abs"] == 0.0
    assert "kl" not in row


def test_divergence_of_two_coins():
    p, q = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    assert divergence(p, q)[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    again = [probabilities(np.log(shares), ready=False) for shares in (p, q)]
    assert divergence(*again)[0] == pytest.approx(divergence(p, q)[0])
    whole = compare(p, np.log(q), True)["kl"]
    assert whole == pytest.approx(divergence(p, q)[0]), "one side has probabilities, one scores"


def test_metrics_of_a_known_confusion():
    labels = np.array([0, 0, 1, 1])
    found = classification(scores([0, 1, 1, 1], count=2), labels)
    assert found["top1"] == 0.75
    assert found["per_class"][0] == {"precision": 1.0, "recall": 0.5, "n": 2}
    assert found["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert "top5" not in found
    perfect = classification(scores([0, 0, 1, 1], count=7, strength=50), labels)
    assert (perfect["top5"], perfect["auc_pr"]) == (1.0, 1.0)
    assert perfect["brier"] == pytest.approx(0, abs=1e-6)


def test_calibration_error():
    right = np.array([True] * 80 + [False] * 20)
    one, other = (reliability(np.full(100, sure), right, bins=1) for sure in (0.8, 1.0))
    assert one == [{"confidence": pytest.approx(0.8), "accuracy": 0.8, "n": 100}]
    assert calibration_error(one) == pytest.approx(0)
    assert calibration_error(other) == pytest.approx(0.2)
    bins = reliability(np.linspace(0, 1, 50), np.arange(50) >= 25, bins=5)
    assert [b["accuracy"] for b in bins] == [0, 0, 0.5, 1, 1]
    assert calibration_error(bins) == pytest.approx(np.mean([0.1, 0.3, 0, 0.3, 0.1]), abs=0.02)


def test_top_k_of_the_study():
    labels, ranked = np.arange(6), np.tile(np.arange(6.0), (6, 1))
    found = classification(ranked, labels, (1, 2, 3, 9))
    assert found["top2"] == pytest.approx(2 / 6)
    assert found["top3"] == pytest.approx(3 / 6)
    assert not {"top1_", "top5", "top9"} & set(found)


def test_regression_metrics():
    found = regression(np.array([[1.0], [2.0], [5.0]]), np.array([1.0, 2.0, 3.0]))
    assert found["mae"] == pytest.approx(2 / 3)
    assert found["r2"] == pytest.approx(1 - 4 / 2)


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
    choice = choose([fast, slow], Slo(), "p50", separated=lambda best, rivals: rivals)
    assert choice.trial == "slow"
    assert choice.rejected == (
        ("fast", "worse than its baseline: 8.0 points lost (5.0 to 11.0), more than the margin"),
    )
    assert choose([fast], Slo(), "p50", separated=lambda best, rivals: rivals).trial is None
