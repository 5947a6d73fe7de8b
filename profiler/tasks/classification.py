"""A class for each row: right or wrong, with scikit-learn's metrics of the scores."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import MOST_CLASSES, DataSpec
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows, by_piece, columns_at_once, pieces
from profiler.tasks import verdicts
from profiler.tasks.agreement import are_shares, probabilities
from profiler.tasks.labels import check_numbers, some
from profiler.tasks.outputs import predicted_classes
from profiler.tasks.stressed import ByClass
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]

BINS = 15
TOP = 5


def metrics(output: Rows, labels: Array, top_k: Sequence[int] = (TOP,)) -> dict[str, Any]:
    """top1, f1_macro, f1_micro; with scores (rows, classes) also auc_pr, brier, ece, reliability
    and top<k>.

    auc_pr is the mean over classes of average precision, brier the mean squared distance to the
    one-hot label. `per_class` maps class -> precision, recall, n.
    """
    from sklearn import metrics as library

    predicted = predicted_classes(output)
    present = np.unique(np.concatenate([labels, predicted]))
    precision, recall, _, count = library.precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0
    )
    found: dict[str, Any] = {
        "top1": float(np.mean(predicted == labels)),
        "f1_macro": float(library.f1_score(labels, predicted, average="macro", zero_division=0)),
        "f1_micro": float(library.f1_score(labels, predicted, average="micro", zero_division=0)),
        "per_class": {
            int(c): {"precision": float(p), "recall": float(r), "n": int(n)}
            for c, p, r, n in zip(present, precision, recall, count, strict=True)
        },
    }
    scored = output.ndim == 2 and output.shape[1] > 1
    if scored and all(np.isfinite(scores).all() for (scores,) in pieces(output)):
        found.update(_of_scores(output, labels, predicted == labels, top_k))
    return found


def _of_scores(output: Rows, labels: Array, right: Array, top_k: Sequence[int]) -> dict[str, Any]:
    """What the scores (rows, classes) tell besides the class; ties are ranked as scikit-learn's."""
    ready = all(are_shares(scores) for (scores,) in pieces(output))
    classes = np.arange(output.shape[1])
    depths = [k for k in top_k if 1 < k < len(classes)]
    hits, distances, confidences = dict.fromkeys(depths, 0), [], []
    for scores, true in pieces(output, labels):
        shares = probabilities(scores, ready)
        if depths:
            ranked = np.argsort(shares, axis=1, kind="stable")[:, ::-1]
        for k in depths:
            hits[k] += int((ranked[:, :k] == true[:, None]).sum())
        distances.append(np.sum((shares - (true[:, None] == classes)) ** 2, axis=1))
        confidences.append(shares.max(axis=1))
    found: dict[str, Any] = {f"top{k}": count / len(labels) for k, count in hits.items()}
    found["auc_pr"] = float(np.mean(_average_precisions(output, labels, ready)))
    found["brier"] = float(np.mean(np.concatenate(distances)))
    found["reliability"] = reliability(np.concatenate(confidences), right)
    found["ece"] = calibration_error(found["reliability"])
    return found


def _average_precisions(output: Rows, labels: Array, ready: bool) -> Array:
    """Average precision of each class that is a label, of some classes' columns at a time."""
    from sklearn import metrics as library

    there = np.intersect1d(labels, np.arange(output.shape[1]))
    width = columns_at_once(output)
    found = []
    for start in range(0, len(there), width):
        some = there[start : start + width]
        columns = by_piece(lambda scores, some=some: probabilities(scores, ready)[:, some], output)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(
                np.atleast_1d(
                    library.average_precision_score(labels[:, None] == some, columns, average=None)
                )
            )
    return np.concatenate(found)


def reliability(confidence: Array, right: Array, bins: int = BINS) -> list[dict[str, float]]:
    """confidence and accuracy (means) and n of bins of equal mass, by rising confidence.

    Equal width leaves most bins empty for a confident model (Nixon et al. 2019, "Measuring
    calibration in deep learning").
    """
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return [
        {"confidence": float(confidence[p].mean()), "accuracy": float(right[p].mean()), "n": len(p)}
        for p in parts
    ]


def calibration_error(bins: Sequence[Mapping[str, float]]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy, weighted by rows."""
    gaps = [b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins]
    return float(sum(gaps) / sum(b["n"] for b in bins))


def _allowed(classes: int | None, otherwise: str) -> str:
    return otherwise if classes is None else f"0 to {classes - 1} (classes = {classes})"


def _distance_of_classes(tensor: Tensor, last: int | str | None, classes: int) -> float | None:
    if len(tensor.shape) == 1 and "int" in tensor.dtype:
        return 0  # class numbers
    if len(tensor.shape) != 2 or tensor.dtype == "bool":
        return math.inf
    if not isinstance(last, int):
        return None
    found = 2 if last == 1 else last  # one score of two classes
    return found - classes if found >= classes else math.inf


class Classification(Task):
    titles: ClassVar[Mapping[str, str]] = {
        "top{}": "top-{} %", "f1_macro": "macro F1 %", "f1_micro": "micro F1 %",
        "auc_pr": "AUC-PR %", "ece": "ECE %", "brier": "Brier",
    }  # fmt: skip
    one_class = True
    stressed = ByClass()

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """int64 (rows,)."""
        check_numbers(column, where)
        if column.ndim == 2 and column.shape[1] == 1:
            column = column[:, 0]
        if column.ndim != 1:
            raise DataError(
                f"{where}: expected one class number per row, got shape {list(column.shape)}",
                hint="turn one-hot rows into numbers with argmax(axis=1)",
            )
        top = MOST_CLASSES if spec.classes is None else spec.classes
        if column.dtype.kind == "f":  # a float16 can't hold `top`
            column = column.astype(np.float64)
        for bad, expected in (
            (column != np.floor(column), "whole numbers"),
            (column < 0, _allowed(spec.classes, "0 or more")),
            (column >= top, _allowed(spec.classes, f"at most {MOST_CLASSES - 1}")),
        ):
            rows = np.flatnonzero(bad)
            if len(rows):
                raise DataError(
                    f"{where}: expected {expected}, got {column[rows[0]]} in {some(rows)}",
                    hint="rows count from 0; classes are numbered from 0, as the model's scores "
                    "are",
                )
        return column.astype(np.int64)

    def check_scores(self, spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
        if len(scores.shape) > 2:
            raise DataError(
                f"data.task: classification needs scores of shape (rows, classes);"
                f' "{scores.name}" of {model} is [{", ".join(map(str, scores.shape))}]',
                hint="name the output that holds the scores ([data] output = ...), or the task that"
                " fits it, or leave the labels out: then outputs are compared with the baseline's",
            )
        classes = scores.shape[-1] if len(scores.shape) == 2 else None
        if not isinstance(classes, int) or classes < 2:
            return
        if spec.costs and len(spec.costs) != classes:
            raise DataError(
                f"data.costs: expected {classes} rows and columns, as {model} has classes, "
                f"got {len(spec.costs)}"
            )
        row = next((i for i, label in enumerate(labels) if label >= classes), None)
        if row is not None:
            raise DataError(
                f"{spec.file}: data.labels: row {row} has label {labels[row]}, but {model}"
                f" gives scores for {classes} classes (0 to {classes - 1})",
                hint="number the classes from 0, or name the right output: [data] output = ...",
            )

    def distance(self, spec: DataSpec, output: Tensor, labels: Array) -> float | None:
        """Of scores for classes those fit best that have no more classes than the labels."""
        last = output.shape[-1] if output.shape else None
        return _distance_of_classes(output, last, spec.classes or int(labels.max()) + 1)

    def check_usable(self, output: Array, truth: Truth) -> None:
        if truth.labels is not None:  # without, any numbers can be compared with the baseline's
            predicted_classes(output)

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        labels = truth.known
        right = once(answers.outputs, lambda output: predicted_classes(output) == labels)
        return verdicts.by_rows(right, answers.baselines, answers.margin)

    def right(self, output: Rows, truth: Truth) -> Array:
        return np.asarray(predicted_classes(output) == truth.known)

    def costs(self, output: Rows, truth: Truth) -> Array | None:
        """costs[label, predicted]."""
        if not truth.spec.costs:
            return None
        return np.asarray(truth.spec.costs)[truth.known, predicted_classes(output)]

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        return metrics(output, truth.known, truth.spec.top_k)


TASK = Classification()
