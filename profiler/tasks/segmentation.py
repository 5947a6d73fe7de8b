"""A class for each pixel: what each row counts, and the mean intersection over union."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import MOST_NAMES, DataSpec
from profiler.statistics.once import Pairs, once
from profiler.statistics.pieces import Rows, by_piece, chunks, pieces
from profiler.tasks import verdicts
from profiler.tasks.labels import check_any, check_numbers
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]


def counts(predicted: Array, labels: Array, ignore: int, classes: int) -> Array:
    """(rows, 3 × classes): pixels right, predicted and true of each class, in that order.

    predicted and labels: class numbers (rows, height, width). Pixels labelled `ignore` don't
    count; a prediction that is no class is wrong.
    """
    if predicted.shape != labels.shape:
        raise DataError(
            f"data.task: segmentation needs as many pixels as the labels have, "
            f"{list(labels.shape[1:])} a row, the model gave {list(predicted.shape[1:])}",
            hint="scale the label masks to the model's output before saving",
        )
    found = np.zeros((len(labels), 3, classes), np.int64)
    for row, (guess, label) in enumerate(zip(predicted, labels, strict=True)):
        here = label != ignore
        true, said = label[here].astype(np.int64), guess[here].astype(np.int64)
        said = said[(said >= 0) & (said < classes)]
        found[row, 0] = np.bincount(true[guess[here] == true], minlength=classes)
        found[row, 1] = np.bincount(said, minlength=classes)
        found[row, 2] = np.bincount(true, minlength=classes)
    return found.reshape(len(labels), -1)


def rarest(found: Array) -> int:
    """Rows that hold the rarest of the true classes, from `counts`."""
    rows = np.count_nonzero(found.reshape(len(found), 3, -1)[:, 2], axis=0)
    return int(rows[rows > 0].min(initial=len(found)))


def unions(total: Array) -> Array:
    """Intersection over union of each class from summed `counts`; NaN where there is no pixel."""
    right, said, true = total.reshape(3, -1)
    union = said + true - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def mean_union(total: Array) -> float:
    """Mean IoU of the classes that have a true or predicted pixel."""
    right, said, true = total.reshape(3, -1)  # asked of thousands of resamples: no NaN here
    union = said + true - right
    there = union > 0
    return float((right[there] / union[there]).mean()) if there.any() else 0.0


def metrics(total: Array) -> dict[str, Any]:
    """miou, pixel_accuracy, and `per_class`: class -> iou, n (true pixels)."""
    right, _, true = total.reshape(3, -1)
    each = unions(total)
    return {
        "miou": mean_union(total),
        "pixel_accuracy": float(right.sum() / true.sum()) if true.sum() else 0.0,
        "per_class": {
            int(c): {"iou": float(each[c]), "n": int(true[c])}
            for c in np.flatnonzero(np.isfinite(each))
        },
    }


def _counted(output: Rows, truth: Truth) -> Array:
    ignore, labels = truth.spec.ignored, truth.known
    classes = 1 + max(int(part[part != ignore].max(initial=0)) for part in labels)
    return by_piece(lambda said, true: counts(said, true, ignore, classes), output, labels)


class Segmentation(Task):
    titles: ClassVar[Mapping[str, str]] = {"miou": "mIoU %", "pixel_accuracy": "right pixels %"}

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """(rows, height, width), whole numbers in the file's own type: they are many."""
        check_numbers(column, where)
        if column.ndim != 3 or column.dtype.kind not in "iu":
            raise DataError(
                f"{where}: expected whole numbers of shape (rows, height, width), got "
                f"{column.dtype} {list(column.shape)}",
                hint="save the masks as integers, one class number a pixel",
            )
        top = spec.classes or MOST_NAMES
        for piece in chunks(column):
            part = column[piece]
            counted = part != spec.ignored
            bad = counted & ((part < 0) | (part >= top))
            if bad.any():
                row, y, x = np.argwhere(bad)[0]
                least = f"0 to {top - 1}"
                raise DataError(
                    f"{where}: row {piece.start + row} has {part[row, y, x]} at {y}, {x}, expected "
                    f"{least}, or {spec.ignored} for pixels that don't count",
                    hint="[data] ignore = ... names another label to ignore",
                )
        return column

    def check_some(self, spec: DataSpec, labels: Array, where: str) -> None:
        check_any(labels, [spec.ignored], f"a label other than {spec.ignored}", where)

    def check_scores(self, spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
        """Scores of 4 dimensions, or classes of 3, with the labels' pixels."""
        shape = list(scores.shape)
        if len(shape) == 4:
            classes = shape.pop(spec.class_axis)
        elif len(shape) == 3 and "int" in scores.dtype:
            classes = None
        else:
            raise DataError(
                f"data.task: segmentation needs scores of 4 dimensions, one of them the classes, "
                f"or whole numbers of 3; {model} has {scores.name} {shape} of {scores.dtype}",
                hint="name the right output: [data] output = ...",
            )
        for name, size, mine in zip(("height", "width"), shape[1:], labels.shape[1:], strict=True):
            if isinstance(size, int) and size != mine:
                raise DataError(
                    f"{spec.file}: data.labels: expected a {name} of {size}, as {model} has, "
                    f"got {mine}",
                    hint="scale the label masks to the model's output; class_axis = 3 says that "
                    "the classes come last",
                )
        most = max(int(part[part != spec.ignored].max(initial=0)) for part in labels)
        if isinstance(classes, int) and most >= classes:
            raise DataError(
                f"{spec.file}: data.labels: there is class {most}, but {model} gives scores for "
                f"{classes} classes (0 to {classes - 1})",
                hint="number the classes from 0, or let [data] ignore name a label to leave out",
            )

    def mask_axis(self, spec: DataSpec) -> int:
        return spec.class_axis

    def check_usable(self, output: Array, truth: Truth) -> None:
        if truth.labels is not None:
            classes = 1 + int(truth.labels.max(initial=0))
            counts(output, truth.labels, truth.spec.ignored, classes)

    def near(self, answers: Answers, truth: Truth) -> Columns:
        """Share of pixels with the baseline's class, and how many differ.

        Without scores, which are too large to bring here, there is nothing else to compare.
        """
        found = {}

        @Pairs
        def flipped(base: Rows, output: Rows) -> int:
            return sum(int((one != other).sum()) for one, other in pieces(base, output))

        for trial, output in answers.outputs.items():
            named = answers.baselines[trial]
            base = None if named == trial else answers.outputs.get(named)
            if base is not None and base.shape == output.shape:
                flips = flipped(base, output)
                found[trial] = {"agreement": 1 - flips / math.prod(output.shape), "flips": flips}
        return found

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        counted = once(answers.outputs, lambda output: _counted(output, truth))
        judged = verdicts.by_sums(
            mean_union, counted, answers.baselines, answers.margin, answers.seed
        )
        least = rarest(next(iter(counted.values())))
        return verdicts.named(verdicts.enough(judged, least, len(truth.known)), "mIoU")

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        return metrics(_counted(output, truth).sum(axis=0))


TASK = Segmentation()
