"""Mean average precision: by hand, and beside COCO's own code."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from profiler.analysis.quality.accuracy import Accuracy
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.tasks import detection

NONE = [0, 0, 0, 0, -1]


def score(output: np.ndarray, labels: np.ndarray) -> float:
    return detection.mean_precision(
        detection.judged(output, labels, -1), detection.true_boxes(labels, -1)
    )


def test_overlap_by_hand() -> None:
    one = np.array([[0.0, 0, 2, 2], [5, 5, 5, 9]])
    found = detection.overlap(one, np.array([[1.0, 1, 3, 3], [0, 0, 2, 2], [9, 9, 9, 9]]))
    np.testing.assert_allclose(found, [[1 / 7, 1, 0], [0, 0, 0]])


def test_precision_by_hand() -> None:
    labels = np.array([[[0.0, 0, 10, 10, 0], [20, 20, 30, 30, 0]], [[0, 0, 10, 10, 0], NONE]])
    output = np.array(
        [
            [[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 10, 0.8, 0]],  # the second takes no true box
            [[0, 0, 10, 6, 0.7, 0], [np.nan, 0, 1, 1, 0.95, 0]],  # overlap 0.6
        ]
    )
    each = detection.precisions(
        detection.judged(output, labels, -1), detection.true_boxes(labels, -1)
    )[0]
    # At 0.5: right, wrong, right of 3 true boxes: recall 1/3 at precision 1, 2/3 at 2/3, then none.
    assert each[0] == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)
    assert each[2] == each[0]  # 0.60
    assert each[3] == pytest.approx(34 / 101)  # 0.65: only the first is right
    assert score(labels[:, :, [0, 1, 2, 3, 4, 4]], labels) == 1.0


def test_a_box_of_another_class_is_wrong_and_classes_weigh_the_same() -> None:
    labels = np.array([[[0.0, 0, 9, 9, 0], [0, 0, 9, 9, 2]], [[0, 0, 9, 9, 0], NONE]])
    output = np.array([[[0, 0, 9, 9, 0.5, 0], [0, 0, 9, 9, 0.5, 1]], [[0, 0, 9, 9, 0.4, 0]] * 2])
    assert score(output, labels) == pytest.approx((1 + 0) / 2), "class 1 has no true box"


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """30 pictures with up to 6 boxes of 3 classes; 12 found, some of them near a true one."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 80, (30, 6, 2)), rng.uniform(5, 40, (30, 6, 2))
    names = rng.integers(0, 3, (30, 6, 1)).astype(float)
    labels = np.concatenate([corner, corner + size, names], axis=2)
    labels[rng.random((30, 6)) < 0.3] = NONE
    near = np.concatenate([labels, labels], axis=1) + rng.normal(0, 3, (30, 12, 5))
    near[..., 2:4] = np.maximum(near[..., 2:4], near[..., :2] + 1)
    picked = np.where(rng.random((30, 12)) < 0.8, np.tile(labels[..., 4], 2), 1).clip(0)
    return np.concatenate([near[..., :4], rng.random((30, 12, 1)), picked[..., None]], 2), labels


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_cocos_own_code_says(seed: int) -> None:
    output, labels = random_case(seed)
    truth = [
        {"id": 0, "image_id": i, "category_id": int(box[4]), "iscrowd": 0,
         "bbox": [*box[:2], *(box[2:4] - box[:2])], "area": float(np.prod(box[2:4] - box[:2]))}
        for i, boxes in enumerate(labels) for box in boxes if box[4] >= 0
    ]  # fmt: skip
    for number, one in enumerate(truth, 1):
        one["id"] = number
    found = [
        {"image_id": i, "category_id": int(box[5]), "score": box[4],
         "bbox": [*box[:2], *(box[2:4] - box[:2])]}
        for i, boxes in enumerate(output) for box in boxes
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {}, "images": [{"id": i} for i in range(len(labels))], "annotations": truth,
            "categories": [{"id": c} for c in range(3)],
        }  # fmt: skip
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    mine = detection.metrics(detection.judged(output, labels, -1), detection.true_boxes(labels, -1))
    assert 0.1 < mine["map"] < 0.9
    np.testing.assert_allclose([mine["map"], mine["map50"], mine["map75"]], judge.stats[:3])


def test_a_verdict_and_none_where_a_class_is_rare() -> None:
    labels = np.concatenate([random_case(seed)[1] for seed in range(4)])
    exact = labels[..., [0, 1, 2, 3, 4, 4]]
    worse = exact.copy()
    worse[:60, :, :2] += 15

    def row(true: np.ndarray) -> dict:
        judged = Accuracy(
            outputs={"b": exact, "v": worse}, baselines={"b": "b", "v": "b"}, task="detection",
            labels=true, numbers=np.arange(120), spec=DataSpec(file="d", task="detection"),
        )  # fmt: skip
        found = judged.rows()["v"]
        assert "sqnr_db" not in found, "boxes may come in another order"
        return found

    found = row(labels)
    assert (found["accuracy_is"], found["quality"]) == ("mAP", "worse")
    assert found["drop_low"] < found["drop"] < found["drop_high"]
    rare = labels.copy()
    rare[10:][rare[10:, :, 4] == 2] = NONE
    assert row(rare)["quality"] == "undecided"


def test_shapes_that_are_no_boxes() -> None:
    with pytest.raises(DataError, match=r"\(rows, boxes, 6\)"):
        detection.judged(np.zeros((2, 3, 5)), np.zeros((2, 1, 5)), -1)
    with pytest.raises(DataError, match=r"got \(2, 3, 4\), \(2, 3\) and \(2, 4\)"):
        detection.joined(np.zeros((2, 3, 4)), np.zeros((2, 3)), np.zeros((2, 4)))
