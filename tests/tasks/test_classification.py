"""A class for each row: metrics of its scores, and paired accuracy."""

import numpy as np
import pytest

from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.tasks.classification import TASK, calibration_error, metrics, reliability
from profiler.tasks.outputs import predicted_classes
from profiler.tasks.task import Answers, Truth
from profiler.tasks.verdicts import majority_share


def scores(classes, count=4, strength=5.0):
    return (np.eye(count)[classes] * strength).astype(np.float32)


def test_metrics_of_a_known_confusion():
    labels = np.array([0, 0, 1, 1])
    found = metrics(scores([0, 1, 1, 1], count=2), labels)
    assert found["top1"] == 0.75
    assert found["per_class"][0] == {"precision": 1.0, "recall": 0.5, "n": 2}
    assert found["f1_macro"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert "top5" not in found
    perfect = metrics(scores([0, 0, 1, 1], count=7, strength=50), labels)
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
    found = metrics(ranked, labels, (1, 2, 3, 9))
    assert found["top2"] == pytest.approx(2 / 6)
    assert found["top3"] == pytest.approx(3 / 6)
    assert not {"top1_", "top5", "top9"} & set(found)


def test_accuracy_drop_and_gap_are_paired() -> None:
    labels = np.array([0, 1, 2] * 200)
    good, poor = labels.copy(), labels.copy()
    poor[:30] = (poor[:30] + 1) % 3
    outputs = {"g": scores(list(good)), "g8": scores(list(poor)), "p": scores(list(poor))}
    answers = Answers(
        outputs=outputs, baselines={"g": "g", "g8": "g", "p": "p"}, margin=0.01, seed=0
    )
    found = TASK.judged(answers, Truth(spec=DataSpec(file="rows"), labels=labels))
    assert found["g"]["accuracy"] == 1.0
    assert found["g8"]["drop"] == pytest.approx(0.05)
    assert found["g8"]["quality"] == "worse"
    assert "drop" not in found["p"], "a baseline has no loss against itself"
    assert found["p"]["gap_low"] > 0.01, "but it is worse than the best baseline"
    assert found["g"]["gap_high"] == 0.0


def test_predicted_classes_of_each_kind_of_output() -> None:
    assert list(predicted_classes(np.array([2, 0]))) == [2, 0]
    assert list(predicted_classes(np.array([[0.2], [0.9]]))) == [0, 1]
    assert list(predicted_classes(scores([1, 2]))) == [1, 2]
    with pytest.raises(DataError, match="scores of shape"):
        predicted_classes(np.zeros((2, 3, 4)))
    assert majority_share(np.array([1, 1, 0, 1])) == 0.75
