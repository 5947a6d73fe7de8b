"""Labels: whether they are what their task takes, and whether they fit the scores of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import IGNORED, MOST_CLASSES, MOST_NAMES, DataSpec
from profiler.statistics.pieces import chunks
from profiler.wire.codec import show

Array = np.ndarray[Any, Any]
_SHOWN_ROWS = 5


def _some(rows: Array) -> str:
    """'row 3' or 'rows 3, 8, 9 (and 4 more)'."""
    listed = ", ".join(str(row) for row in rows[:_SHOWN_ROWS])
    more = len(rows) - _SHOWN_ROWS
    tail = f" (and {more} more)" if more > 0 else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{tail}"


def check_finite(value: Array, where: str) -> None:
    """Raise DataError naming the rows that hold NaN or infinity."""
    if value.dtype.kind != "f":
        return
    fine = np.ones(len(value), dtype=bool)
    for piece in chunks(value):
        fine[piece] = np.isfinite(value[piece]).reshape(len(value[piece]), -1).all(axis=1)
    bad = np.flatnonzero(~fine)
    if len(bad):
        raise DataError(
            f"{where}: expected finite numbers, got NaN or Inf in {_some(bad)}",
            hint="rows count from 0; repair or drop them before saving",
        )


def check_labels(spec: DataSpec, column: Array, where: str) -> Array:
    """What is right for each row, as the task has it. Raises DataError.

    int64 (rows,) for classification and embedding, float64 for regression and custom, several a row
    as `_check_each` says.
    """
    if spec.task == "embedding":
        if column.ndim != 1:
            raise DataError(f"{where}: expected one label per row, got {list(column.shape)}")
        return np.unique(column, return_inverse=True)[1].astype(np.int64)
    if column.dtype.kind not in "biuf":
        what = "numbers" if spec.task in ("regression", "custom") else "whole numbers"
        raise DataError(
            f"{where}: expected {what}, got text in row 0: {show(str(column.reshape(-1)[0]))}",
            hint="number the classes from 0, in the order of the model's scores",
        )
    check_finite(column, where)
    if spec.task in ("regression", "custom"):
        return column.astype(np.float64)
    if spec.task in IGNORED:
        return _check_each(spec, column, where)
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
                f"{where}: expected {expected}, got {column[rows[0]]} in {_some(rows)}",
                hint="rows count from 0; classes are numbered from 0, as the model's scores are",
            )
    return column.astype(np.int64)


def _allowed(classes: int | None, otherwise: str) -> str:
    return otherwise if classes is None else f"0 to {classes - 1} (classes = {classes})"


def _check_each(spec: DataSpec, column: Array, where: str) -> Array:
    """Labels as int64 (rows, tokens): tags from 0, or the label that is ignored.

    For segmentation (rows, height, width), whole numbers in the file's own type: they are many.
    For detection (rows, boxes, 5) as float64: corners and class.
    Raises DataError naming the first row that does not fit.
    """
    if spec.task == "segmentation":
        return _check_masks(spec, column, where)
    if spec.task == "detection":
        return _check_boxes(spec, column, where)
    if column.ndim != 2:
        raise DataError(
            f"{where}: expected one tag number a token, shape (rows, tokens), got "
            f"{list(column.shape)}",
            hint=f"pad all rows to one length with {spec.ignored}",
        )
    counted = column != spec.ignored
    top = len(spec.tags) or spec.classes or MOST_CLASSES
    bad = counted & ((column != np.floor(column)) | (column < 0) | (column >= top))
    if bad.any():
        row, token = np.argwhere(bad)[0]
        least = f"0 to {top - 1}"
        raise DataError(
            f"{where}: row {row} has {column[row, token]} for token {token}, expected whole "
            f"numbers of {least}, or {spec.ignored} for tokens that don't count",
            hint="rows and tokens count from 0; [data] ignore = ... names another label to ignore",
        )
    return column.astype(np.int64)


def check_some(spec: DataSpec, labels: Array, where: str) -> None:
    """Raise DataError where no row has a label that counts: there would be nothing to judge."""
    if spec.task not in IGNORED:
        return
    empty, what = [spec.ignored], f"a label other than {spec.ignored}"
    if spec.task == "detection":
        labels, what = labels[..., 4], "a box"
    elif spec.entities:
        empty, what = [*empty, spec.tags.index("O")], "an entity"
    if not any(~np.isin(labels[piece], empty).all() for piece in chunks(labels)):
        raise DataError(f"{where}: expected {what} in some row, got none")


def _check_masks(spec: DataSpec, column: Array, where: str) -> Array:
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


def _check_boxes(spec: DataSpec, column: Array, where: str) -> Array:
    if column.ndim != 3 or column.shape[2] != 5:
        raise DataError(
            f"{where}: expected boxes of shape (rows, boxes, 5) with x1, y1, x2, y2 and class, got "
            f"{list(column.shape)}",
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


def _check_detections(model: str, tensor: Tensor) -> None:
    """Detection by one output (rows, boxes, 6)."""
    last = tensor.shape[-1] if tensor.shape else None
    if len(tensor.shape) != 3 or (isinstance(last, int) and last != 6):
        raise DataError(
            "data.task: detection needs an output of shape (rows, boxes, 6) with x1, y1, x2, "
            f"y2, score and class; {model} has {tensor.name} {list(tensor.shape)}",
            hint='name three outputs: detections = ["boxes", "scores", "classes"]',
        )


def _check_pixels(spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
    """Segmentation: scores of 4 dimensions, or classes of 3, with the labels' pixels."""
    shape = list(scores.shape)
    if len(shape) == 4:
        classes = shape.pop(spec.class_axis)
    elif len(shape) == 3 and "int" in scores.dtype:
        classes = None
    else:
        raise DataError(
            f"data.task: segmentation needs scores of 4 dimensions, one of them the classes, or "
            f"whole numbers of 3; {model} has {scores.name} {shape} of {scores.dtype}",
            hint="name the right output: [data] output = ...",
        )
    for name, size, mine in zip(("height", "width"), shape[1:], labels.shape[1:], strict=True):
        if isinstance(size, int) and size != mine:
            raise DataError(
                f"{spec.file}: data.labels: expected a {name} of {size}, as {model} has, "
                f"got {mine}",
                hint="scale the label masks to the model's output; class_axis = 3 says that the "
                "classes come last",
            )
    most = max(int(part[part != spec.ignored].max(initial=0)) for part in labels)
    if isinstance(classes, int) and most >= classes:
        raise DataError(
            f"{spec.file}: data.labels: there is class {most}, but {model} gives scores for "
            f"{classes} classes (0 to {classes - 1})",
            hint="number the classes from 0, or let [data] ignore name a label to leave out",
        )


def _check_places(spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
    """Token tasks: scores (rows, tokens, tags) with as many of both as the labels have."""
    shape = scores.shape
    if len(shape) == 2 and scores.dtype.startswith("int"):
        shape = (*shape, "tags")  # tags already
    if len(shape) != 3:
        raise DataError(
            f"data.task: token-classification needs scores of shape (rows, tokens, tags), "
            f"{model} has {scores.name} {list(scores.shape)}",
            hint="name the right output: [data] output = ...",
        )
    tokens, tags = shape[1:]
    if isinstance(tokens, int) and tokens != labels.shape[1]:
        raise DataError(
            f"{spec.file}: data.labels: expected {tokens} tokens a row, as {model} has, got "
            f"{labels.shape[1]}",
            hint=f"pad or cut them to {tokens}; {spec.ignored} is not counted",
        )
    if not isinstance(tags, int):
        return
    if spec.tags and len(spec.tags) != tags:
        raise DataError(
            f"data.tags: expected {tags} names, as {model} has scores, got {len(spec.tags)}"
        )
    if labels.max() >= tags:
        row, token = np.argwhere(labels >= tags)[0]
        raise DataError(
            f"{spec.file}: data.labels: row {row} has {labels[row, token]} for token {token}, but "
            f"{model} gives scores for {tags} tags (0 to {tags - 1})"
        )


def check_scores(spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
    """Labels must be such as the output `scores` can be judged by, where its shape tells.

    Raises DataError.
    """
    if spec.task in IGNORED:
        if spec.task == "detection":
            _check_detections(model, scores)
        else:
            check = _check_pixels if spec.task == "segmentation" else _check_places
            check(spec, model, scores, labels)
        return
    if spec.task == "classification" and len(scores.shape) > 2:
        raise DataError(
            f"data.task: classification needs scores of shape (rows, classes);"
            f' "{scores.name}" of {model} is [{", ".join(map(str, scores.shape))}]',
            hint="name the output that holds the scores ([data] output = ...), or the task that"
            " fits it, or leave the labels out: then outputs are compared with the baseline's",
        )
    classes = scores.shape[-1] if len(scores.shape) == 2 else None
    if spec.task != "classification" or not isinstance(classes, int) or classes < 2:
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
