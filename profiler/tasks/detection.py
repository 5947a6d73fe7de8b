"""Boxes found in pictures: which are right, and the mean average precision by COCO's rules.

Areas and crowds are not told apart: of COCO's twelve numbers these are the first three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import MOST_NAMES, DataSpec
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows
from profiler.tasks import verdicts
from profiler.tasks.labels import check_any, check_numbers
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""intersection over union from which a box is right"""
MOST = 100
"""boxes of a class that count in a picture, those with the best scores"""


def joined(boxes: Array, scores: Array, classes: Array) -> Array:
    """Three outputs as one (rows, boxes, 6): x1, y1, x2, y2, score, class.

    Raises DataError unless they are (rows, boxes, 4), (rows, boxes) and (rows, boxes).
    """
    if (
        boxes.ndim != 3
        or boxes.shape[2] != 4
        or not scores.shape == classes.shape == boxes.shape[:2]
    ):
        raise DataError(
            "data.detections: expected outputs of shape (rows, boxes, 4), (rows, boxes) and "
            f"(rows, boxes), got {boxes.shape}, {scores.shape} and {classes.shape}",
            hint="boxes, scores and classes in this order, after non-maximum suppression",
        )
    parts = (boxes, scores[..., None], classes[..., None])
    return np.concatenate([part.astype(np.float64) for part in parts], axis=2)


def overlap(one: Array, other: Array) -> Array:
    """Intersection over union of boxes (n, 4) and (m, 4) as corners: shape (n, m)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1) for b in (one, other)]
    union = areas[0][:, None] + areas[1][None, :] - inside
    return np.asarray(np.where(union > 0, inside / np.where(union > 0, union, 1), 0.0))


def _hits(found: Array, true: Array) -> Array:
    """(n, thresholds): whether each box, the best first, takes a true one that is still free."""
    limits = np.minimum(THRESHOLDS, 1 - 1e-10)
    free = np.ones((len(limits), len(true)), dtype=bool)
    right = np.zeros((len(found), len(limits)), dtype=bool)
    if not len(true):
        return right
    each = np.arange(len(limits))
    for n, overlaps in enumerate(overlap(found, true)):
        open_to = np.where(free, overlaps, -1.0)
        best = open_to.argmax(axis=1)
        right[n] = open_to[each, best] >= limits
        free[each[right[n]], best[right[n]]] = False
    return right


def judged(output: Array, labels: Array, ignore: int) -> Array:
    """(rows, k, 2 + thresholds): score, class and whether it is right, of each box that counts.

    output: (rows, boxes, 6), corners, score and class; labels: (rows, boxes, 5), corners and
    class, `ignore` where there is no box. Rows with fewer boxes are filled with class -1, and a
    box that is not finite does not count. Raises DataError for another shape.
    """
    if output.ndim != 3 or output.shape[2] != 6:
        raise DataError(
            "data.task: detection needs an output of shape (rows, boxes, 6) with x1, y1, x2, y2, "
            f"score and class, got {output.shape}",
            hint='name three outputs instead: detections = ["boxes", "scores", "classes"]',
        )
    rows = []
    for boxes, truth in zip(output, labels, strict=True):
        said = boxes[np.isfinite(boxes).all(axis=1)].astype(np.float64)
        true = truth[truth[:, 4] != ignore]
        kept = []
        for name in np.unique(said[:, 5]):
            mine = said[said[:, 5] == name]
            best = mine[np.argsort(-mine[:, 4], kind="stable")[:MOST]]
            right = _hits(best[:, :4], true[true[:, 4] == name, :4])
            kept.append(np.concatenate([best[:, 4:6], right], axis=1))
        rows.append(np.concatenate(kept) if kept else np.zeros((0, 2 + len(THRESHOLDS))))
    found = np.full((len(rows), max(map(len, rows), default=0), 2 + len(THRESHOLDS)), -1.0)
    for filled, row in zip(found, rows, strict=True):
        filled[: len(row)] = row
    return found


def alike(found: dict[str, Array]) -> dict[str, Array]:
    """The same with as many boxes a row in every trial."""
    most = max((value.shape[1] for value in found.values()), default=0)
    return once(
        found,
        lambda v: np.pad(v, ((0, 0), (0, most - v.shape[1]), (0, 0)), constant_values=-1.0),
    )


def true_boxes(labels: Array, ignore: int) -> Array:
    """(rows, classes): how many true boxes of each class a row has."""
    names = labels[..., 4].astype(np.int64)
    counted = names != ignore
    classes = 1 + int(names[counted].max(initial=0))
    return np.stack([((names == c) & counted).sum(axis=1) for c in range(classes)], axis=1)


def precisions(found: Array, true: Array) -> Array:
    """Average precision (classes, thresholds) of `judged` and `true_boxes`; NaN without a true box.

    COCO's: precision made monotone, read at 101 levels of recall (Lin et al. 2014, "Microsoft
    COCO", and the evaluation code published with it).
    """
    totals = true.sum(axis=0)
    flat = found.reshape(-1, found.shape[-1])
    flat = flat[flat[:, 1] >= 0]
    flat = flat[np.lexsort((-flat[:, 0], flat[:, 1]))]
    edges = np.searchsorted(flat[:, 1], np.arange(len(totals) + 1))
    levels = np.linspace(0, 1, 101)
    result = np.full((len(totals), len(THRESHOLDS)), np.nan)
    for name in np.flatnonzero(totals):
        right = flat[edges[name] : edges[name + 1], 2:].cumsum(axis=0)
        if not len(right):
            result[name] = 0.0
            continue
        precision = right / np.arange(1, len(right) + 1)[:, None]
        precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        padded = np.concatenate([precision, np.zeros((1, len(THRESHOLDS)))])
        for t, recall in enumerate((right / totals[name]).T):
            result[name, t] = padded[np.searchsorted(recall, levels), t].mean()
    return result


def mean_precision(found: Array, true: Array) -> float:
    """mAP: the mean over classes that have a true box, and over thresholds."""
    each = precisions(found, true)
    there = np.isfinite(each[:, 0])
    return float(each[there].mean()) if there.any() else 0.0


def rarest(true: Array) -> int:
    """Rows that hold the rarest of the classes."""
    rows = np.count_nonzero(true, axis=0)
    return int(rows[rows > 0].min(initial=len(true)))


def metrics(found: Array, true: Array) -> dict[str, Any]:
    """map, map50, map75 and `per_class`: class -> ap, n (true boxes)."""
    each, totals = precisions(found, true), true.sum(axis=0)
    there = np.flatnonzero(totals)
    return {
        "map": mean_precision(found, true),
        "map50": float(each[there, THRESHOLDS.index(0.5)].mean()) if len(there) else 0.0,
        "map75": float(each[there, THRESHOLDS.index(0.75)].mean()) if len(there) else 0.0,
        "per_class": {int(c): {"ap": float(each[c].mean()), "n": int(totals[c])} for c in there},
    }


class Detection(Task):
    titles: ClassVar[Mapping[str, str]] = {"map": "mAP %", "map50": "AP50 %", "map75": "AP75 %"}

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """float64 (rows, boxes, 5): corners and class."""
        check_numbers(column, where)
        if column.ndim != 3 or column.shape[2] != 5:
            raise DataError(
                f"{where}: expected boxes of shape (rows, boxes, 5) with x1, y1, x2, y2 and class, "
                f"got {list(column.shape)}",
                hint=f"fill rows with fewer boxes up with the class {spec.ignored}",
            )
        labels = column.astype(np.float64)
        names, counted = labels[..., 4], labels[..., 4] != spec.ignored
        top = spec.classes or MOST_NAMES
        for bad, expected in (
            (counted & ((names != np.floor(names)) | (names < 0) | (names >= top)),
             f"a class from 0 to {top - 1}"),
            (counted & ((labels[..., 2] <= labels[..., 0]) | (labels[..., 3] <= labels[..., 1])),
             "x1 < x2 and y1 < y2"),
        ):  # fmt: skip
            if bad.any():
                row, box = np.argwhere(bad)[0]
                raise DataError(
                    f"{where}: row {row}, box {box}: expected {expected}, got "
                    f"{', '.join(f'{value:g}' for value in labels[row, box])}",
                    hint="corners, not width and height; rows and boxes count from 0",
                )
        return labels

    def check_some(self, spec: DataSpec, labels: Array, where: str) -> None:
        check_any(labels[..., 4], [spec.ignored], "a box", where)

    def check_scores(self, spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
        """One output (rows, boxes, 6)."""
        last = scores.shape[-1] if scores.shape else None
        if len(scores.shape) != 3 or (isinstance(last, int) and last != 6):
            raise DataError(
                "data.task: detection needs an output of shape (rows, boxes, 6) with x1, y1, x2, "
                f"y2, score and class; {model} has {scores.name} {list(scores.shape)}",
                hint='name three outputs: detections = ["boxes", "scores", "classes"]',
            )

    def joined(self, outputs: Sequence[Array]) -> Array:
        return joined(*outputs)

    def check_usable(self, output: Array, truth: Truth) -> None:
        if truth.labels is not None:
            judged(output, truth.labels, truth.spec.ignored)

    def near(self, answers: Answers, truth: Truth) -> Columns:
        """Nothing: boxes change their order with the last bit of a score."""
        return {}

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        boxes = once(answers.outputs, lambda output: _found(output, truth))
        true = true_boxes(truth.known, truth.spec.ignored)
        judged = verdicts.by_metric(
            mean_precision, alike(boxes), true, answers.baselines, answers.margin, answers.seed
        )
        judged = verdicts.enough(judged, rarest(true), len(truth.known))
        return verdicts.named(judged, "mAP")

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        return metrics(_found(output, truth), true_boxes(truth.known, truth.spec.ignored))


def _found(output: Rows, truth: Truth) -> Array:
    return judged(np.asarray(output), truth.known, truth.spec.ignored)


TASK = Detection()
