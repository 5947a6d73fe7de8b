"""Masks, with values counted by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from profiler.analysis.quality.accuracy import Accuracy
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.tasks import segmentation as masks
from profiler.wire.codec import DecodeError
from profiler.worker.measuring.best_class import best_class, pieces

SPEC = DataSpec(file="d", labels="y", task="segmentation")


def test_counts_by_hand():
    labels = np.array([[[0, 0], [1, 255]], [[2, 2], [0, 0]]], np.uint8)
    found = np.array([[[0, 1], [1, 0]], [[2, 255], [0, 2]]], np.uint8)
    # row 0: class 0 half found, its other pixel taken for 1; 255 is not counted.
    # row 1: one pixel of 2 is no class at all, one of 0 is taken for 2.
    counts = masks.counts(found, labels, 255, 3)
    assert counts.tolist() == [[1, 1, 0, 1, 2, 0, 2, 1, 0], [1, 0, 1, 1, 0, 2, 2, 0, 2]]
    total = counts.sum(axis=0)
    assert masks.unions(total).tolist() == pytest.approx([2 / 4, 1 / 2, 1 / 3])
    assert masks.mean_union(total) == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    made = masks.metrics(total)
    assert made["pixel_accuracy"] == pytest.approx(4 / 7)
    assert made["per_class"][2] == {"iou": pytest.approx(1 / 3), "n": 2}


def test_random_masks_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    labels, found = generator.integers(0, 5, (2, 20, 6, 7), dtype=np.uint8)
    total = masks.counts(found, labels, 255, 5).sum(axis=0)
    expected = jaccard_score(labels.ravel(), found.ravel(), average=None)
    assert masks.unions(total).tolist() == pytest.approx(expected.tolist())


def test_a_class_that_is_nowhere_has_no_share():
    labels = np.zeros((1, 2, 2), np.uint8)
    total = masks.counts(labels, labels, 255, 3).sum(axis=0)
    assert masks.mean_union(total) == 1.0
    assert list(masks.metrics(total)["per_class"]) == [0]


def judged(base, other, labels):
    return Accuracy(
        outputs={"b": base, "v": other}, baselines={"b": "b", "v": "b"}, task="segmentation",
        labels=labels, numbers=np.arange(len(labels)), spec=SPEC,
    )  # fmt: skip


def test_a_loss_is_paired_by_row():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, (150, 8, 8), dtype=np.uint8)
    other = labels.copy()
    other[:, 0, 0] = (other[:, 0, 0] + 1) % 3  # one pixel of 64 wrong everywhere
    row = judged(labels, other, labels).rows()["v"]
    assert row["accuracy_is"] == "mIoU"
    assert row["drop"] == pytest.approx(1 - row["accuracy"])
    assert 0.025 < row["drop_low"] < row["drop"] < row["drop_high"] < 0.035
    assert row["quality"] == "worse"
    assert row["flips"] == 150
    assert row["agreement"] == pytest.approx(63 / 64)
    assert "cosine" not in row  # class numbers have none
    same = judged(labels, labels.copy(), labels).rows()["v"]
    assert same["quality"] == "undecided"  # no changed row of 150 leaves 2.4 points open


def test_a_class_in_few_rows_gets_no_verdict():
    labels = np.zeros((150, 4, 4), np.uint8)
    labels[:40, 2:] = 1
    other = labels.copy()
    other[:, 0, 0] = 1
    assert judged(labels, other, labels).rows()["v"]["quality"] == "worse"
    labels[9:40, 2:] = 0
    row = judged(labels, other, labels).rows()["v"]
    assert (row["quality"], row["quality_n_needed"]) == ("undecided", 500)


def test_masks_of_another_size_are_named():
    labels = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(DataError, match=r"\[4, 4\] a row, the model gave \[2, 2\]"):
        masks.counts(labels[:, :2, :2], labels, 255, 1)


def test_the_device_sends_the_best_class():
    scores = np.zeros((2, 3, 1, 2), np.float32)
    scores[0, 2, 0, 1] = scores[1, 1, 0, 0] = 1
    scores[1, 0, 0, 1] = np.nan
    found = best_class(scores, 1)
    assert (found.dtype, found.tolist()) == (np.uint8, [[[0, 2]], [[1, 255]]])
    assert best_class(np.moveaxis(scores, 1, 3), 3).tolist() == found.tolist()
    assert best_class(np.zeros((1, 256, 1, 1), np.float32), 1).dtype == np.uint16
    assert best_class(found, 1) is found
    parts = [piece["x"].tolist() for piece in pieces({"x": np.arange(5)}, 2)]
    assert parts == [[0, 1], [2, 3], [4]]


def test_only_segmentation_has_an_axis_of_classes():
    with pytest.raises(DecodeError):
        DataSpec(file="d", class_axis=3)
    with pytest.raises(DecodeError):
        DataSpec(file="d", class_axis=2, task="segmentation")
