"""From a [data] table to an EvaluationSet, with one clear message for whatever does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.data import leakage
from profiler.data.bounds import check_seen, words
from profiler.data.evaluation import Column, EvaluationSet, content_sha
from profiler.data.images import completed
from profiler.data.load import load_columns
from profiler.data.mapped import room_for
from profiler.data.split import split
from profiler.data.text import Tokenizer, texts
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import chunks
from profiler.tasks.labels import check_finite
from profiler.tasks.task import task_of
from profiler.wire.codec import show

Array = np.ndarray[Any, Any]
_MOST_SLICES = 100


def read(spec: DataSpec, folder: Path, seed: int = 0) -> EvaluationSet:
    """Read, check and split the evaluation set. `folder` is the study's.

    Rows in messages count from 0. Raises DataError.
    """
    path = folder / spec.file
    check_seen(path, "data.file")
    if path.is_dir():
        spec = completed(spec, folder)
    columns = load_columns(spec, folder)
    inputs = _inputs(spec, columns, path)
    text = None
    if spec.text is not None:
        text = texts(columns[spec.text.column], f"{path}: data.text.column")
        inputs |= _tokens(spec, text, folder)
    if not inputs:
        raise DataError(
            f"{path}: expected a column besides labels and split to feed the model, got none",
            hint="add the model's inputs as columns",
        )
    for name, value in inputs.items():
        check_finite(value, f"{path}: data.inputs.{name}")
    labels = None
    if spec.labels is not None:
        task, where = task_of(spec.task), f"{path}: data.labels"
        labels = task.labels(spec, columns[spec.labels], where)
        task.check_some(spec, labels, where)
    rows = len(next(iter(inputs.values())))
    column = None if spec.split is None else words(columns[spec.split], f"{path}: data.split")
    grouped = spec.groups or spec.pairs  # the two rows of a pair belong together
    groups = None if grouped is None else words(columns[grouped], f"{path}: data.groups")
    parts = split(spec, column, rows, labels, seed, str(path), groups)
    if not spec.allow_duplicates:
        train = None if spec.train is None else _train(spec, inputs, folder)
        leakage.check(inputs, parts.named(), str(path), train)
    return EvaluationSet(
        inputs=inputs,
        labels=labels,
        calibration=parts.calibration,
        evaluation=parts.evaluation,
        confirmation=parts.confirmation,
        sha=content_sha(inputs, labels, parts.named()),
        file=spec.file,
        columns=tuple(
            Column(name=name, dtype=str(value.dtype), shape=value.shape[1:])
            for name, value in columns.items()
        ),
        text=text,
        named=bool(spec.inputs) or text is not None,
        slices={name: _slice(columns[name], f"{path}: data.slices") for name in spec.slices},
        pairs=_pairs(spec, columns, path),
    )


def _train(spec: DataSpec, inputs: dict[str, Array], folder: Path) -> dict[str, Array]:
    """The same inputs of the rows that trained the model. Raises DataError where shapes differ."""
    path = folder / str(spec.train)
    inputs_alone = spec.inputs or ({} if spec.text else {name: name for name in inputs})
    alone = DataSpec(file=str(spec.train), images=spec.images, text=spec.text, inputs=inputs_alone)
    columns = load_columns(alone, folder)
    found = _inputs(alone, columns, path)
    if spec.text is not None:
        text = texts(columns[spec.text.column], f"{path}: data.train: {spec.text.column}")
        # As long as ours: of a longer row the model would see no more.
        length = inputs[next(iter(spec.text.inputs))].shape[1]
        found |= _tokens(spec, text, folder, length)
    for name, value in found.items():
        if value.shape[1:] != inputs[name].shape[1:] or (
            value.dtype.kind in "US") != (inputs[name].dtype.kind in "US"):  # fmt: skip
            raise DataError(
                f"{path}: data.train: {name}: expected rows of {inputs[name].dtype} "
                f"{list(inputs[name].shape[1:])} as in {spec.file}, got {value.dtype} "
                f"{list(value.shape[1:])}",
                hint="prepare the training rows exactly as the evaluation rows",
            )
    return found


def _tokens(
    spec: DataSpec, text: Array, folder: Path, length: int | None = None
) -> dict[str, Array]:
    assert spec.text is not None
    for name in spec.text.inputs:
        if name in spec.inputs:
            raise DataError(
                f"data.inputs.{name}: [data.text] makes this input, too",
                hint="take it out of one of them",
            )
    return Tokenizer(spec.text, folder).encode(text, length)


def _pairs(spec: DataSpec, columns: dict[str, Array], path: Path) -> dict[str, Array]:
    """The pair of each row as a number, and its similarity; empty without pairs."""
    if spec.pairs is None or spec.similarity is None:
        return {}
    pairs, scores = columns[spec.pairs], columns[spec.similarity]
    for key, column in (("pairs", pairs), ("similarity", scores)):
        if column.ndim != 1:
            raise DataError(
                f"{path}: data.{key}: expected one value per row, got shape {list(column.shape)}"
            )
    if scores.dtype.kind not in "biuf":
        raise DataError(f"{path}: data.similarity: expected numbers, got text")
    check_finite(scores, f"{path}: data.similarity")
    names, numbers, count = np.unique(pairs, return_inverse=True, return_counts=True)
    if (count != 2).any():
        name, times = names[count != 2][0], count[count != 2][0]
        got = f"{show(str(name))} in {times}"
        raise DataError(
            f"{path}: data.pairs: expected each value in two rows, got {got}",
            hint="a pair is two rows with the same value in this column",
        )
    scores = scores.astype(np.float64)
    order = np.argsort(numbers, kind="stable")
    apart = np.flatnonzero(scores[order[::2]] != scores[order[1::2]])
    if len(apart):
        rows = sorted(order[2 * apart[0] : 2 * apart[0] + 2].tolist())
        raise DataError(
            f"{path}: data.similarity: rows {rows[0]} and {rows[1]} are one pair and have two "
            "scores",
            hint="give both rows of a pair the same score",
        )
    return {"pairs": numbers.astype(np.int64), "similarity": scores}


def _slice(column: Array, where: str) -> Array:
    """A column's values as text, one per row."""
    if column.ndim != 1 or len(np.unique(column)) > _MOST_SLICES:
        raise DataError(
            f"{where}: expected a column with at most {_MOST_SLICES} different values, got "
            f"{'lists' if column.ndim != 1 else f'{len(np.unique(column))} values'}",
            hint="cut numbers into bins and save those as a column",
        )
    return words(column, where)


def _inputs(spec: DataSpec, columns: dict[str, Array], path: Path) -> dict[str, Array]:
    if spec.text is not None and not spec.inputs:
        return {}
    if not spec.inputs:
        other = {spec.labels, spec.split, spec.groups, spec.pairs, spec.similarity, *spec.slices}
        return {name: value for name, value in columns.items() if name not in other}
    inputs = {}
    for name, chosen in spec.inputs.items():
        if isinstance(chosen, str):
            inputs[name] = columns[chosen]
            continue
        parts = [columns[column] for column in chosen]
        if not parts or len({part.shape for part in parts}) > 1:
            shapes = ", ".join(f"{c} {list(columns[c].shape)}" for c in chosen)
            raise DataError(
                f"{path}: data.inputs.{name}: expected columns of one shape to stack, "
                f"got {shapes or 'an empty list'}"
            )
        shape = (len(parts[0]), len(parts), *parts[0].shape[1:])
        stacked = room_for(parts[0], shape, np.result_type(*parts))
        for piece in chunks(stacked):
            np.stack([part[piece] for part in parts], axis=1, out=stacked[piece])
        inputs[name] = stacked
    return inputs
