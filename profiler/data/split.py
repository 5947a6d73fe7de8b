"""Which rows calibrate and which evaluate: from a column, or drawn with a seed. Never both."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from profiler.errors import DataError
from profiler.schema.study.data import CALIBRATION_ROWS, DataSpec
from profiler.tasks.task import task_of
from profiler.wire.codec import nearest, show

Array = np.ndarray[Any, Any]


def draw(rows: Array, count: int, labels: Array | None, seed: int) -> Array:
    """`count` of the row numbers `rows`, ascending; each class keeps its share within one row.

    `labels` are those of all rows of the file, or None for a plain draw. Systematic sampling: the
    i-th of a class's n shuffled rows sits at (i + u) / n with one random u per class, and the
    lowest positions are taken.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(rows)
    if labels is None:
        return np.sort(shuffled[:count])
    position = np.empty(len(shuffled))
    classes = labels[shuffled]
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        position[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.sort(shuffled[np.argsort(position, kind="stable")[:count]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """Row numbers, int64, ascending and disjoint."""

    calibration: Array
    evaluation: Array
    confirmation: Array

    def named(self) -> dict[str, Array]:
        """Part -> its rows."""
        return {name: getattr(self, name) for name in ("calibration", "evaluation", "confirmation")}


def split(
    spec: DataSpec,
    column: Array | None,
    rows: int,
    labels: Array | None,
    seed: int,
    file: str,
    groups: Array | None = None,
) -> Parts:
    """Which rows calibrate, evaluate and confirm.

    `column` is the split column and `groups` the group column, if the spec names them. Drawn parts
    are stratified where a row has one class, or made of whole groups. Raises DataError when no row
    is left to evaluate, and for a group in two parts.
    """
    if spec.evaluation_rows is not None and spec.evaluation_rows > rows:
        raise DataError(
            f"{file}: data.evaluation_rows: expected at most the file's {rows} rows, got "
            f"{spec.evaluation_rows}",
            hint="leave it out to use all rows",
        )
    strata = labels if task_of(spec.task).one_class else None
    everything = np.arange(rows, dtype=np.int64)
    if column is not None:
        words = np.char.strip(column.astype(np.str_))
        calibration = everything[words == "calibration"]
        evaluation = everything[(words == "evaluation") | (words == "selection")]
        confirmation = everything[words == "confirmation"]
        if not len(evaluation):
            found = [str(word) for word in np.unique(words)[:6]]
            raise DataError(
                f'{file}: data.split: expected rows marked "evaluation" in column '
                f'"{spec.split}", it holds {", ".join(map(show, found))}',
                hint=nearest("evaluation", found)
                or "mark rows 'calibration', 'evaluation' and 'confirmation'; others are not used",
            )
    else:
        few = min(CALIBRATION_ROWS, max(1, rows // 2))
        calibrating = few if isinstance(spec.calibration_rows, str) else spec.calibration_rows
        asked = calibrating + spec.confirmation_rows
        if asked >= rows:
            key = "confirmation_rows" if spec.confirmation_rows else "calibration_rows"
            together = " together with calibration_rows" if spec.confirmation_rows else ""
            raise DataError(
                f"{file}: data.{key}: expected fewer than the file's {rows} rows{together}, "
                f"got {asked}, which leaves none to evaluate",
                hint=f"set calibration_rows = {max(1, rows // 5)}",
            )

        def some(pool: Array, count: int, number: int) -> Array:
            if groups is None:
                return draw(pool, count, strata, seed + number)
            return draw_groups(pool, count, groups, seed + number)

        calibration = some(everything, calibrating, 0)
        rest = np.setdiff1d(everything, calibration, assume_unique=True)
        confirmation = everything[:0]
        if spec.confirmation_rows:
            confirmation = some(rest, spec.confirmation_rows, 1)
        evaluation = np.setdiff1d(rest, confirmation, assume_unique=True)
        if not len(evaluation):
            raise DataError(
                f"{file}: data.groups: the groups are so large that none is left to evaluate",
                hint="lower calibration_rows or confirmation_rows",
            )
    parts = Parts(calibration=calibration, evaluation=evaluation, confirmation=confirmation)
    if groups is not None:
        _check_groups(parts, groups, f'{file}: data.groups: column "{spec.groups or spec.pairs}"')
    if spec.evaluation_rows is not None and spec.evaluation_rows < len(evaluation):
        fewer = draw(evaluation, spec.evaluation_rows, strata, seed)
        parts = dataclasses.replace(parts, evaluation=fewer)
    return parts


def draw_groups(rows: Array, count: int, groups: Array, seed: int) -> Array:
    """Whole groups, drawn until there are at least `count` rows; ascending."""
    names, group, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(np.arange(len(names)))
    before = np.cumsum(sizes[order]) - sizes[order]
    taken = np.zeros(len(names), dtype=bool)
    taken[order[before < count]] = True
    return np.sort(rows[taken[group]])


def _check_groups(parts: Parts, groups: Array, where: str) -> None:
    seen: dict[str, str] = {}
    for part, rows in parts.named().items():
        for name in np.unique(groups[rows]):
            if (other := seen.setdefault(str(name), part)) != part:
                raise DataError(
                    f"{where}: group {show(str(name))} has rows in {other} and in {part}",
                    hint="give all rows of a group the same value in the split column",
                )
