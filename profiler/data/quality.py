"""What in the evaluation rows themselves speaks against what will be told of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from profiler.data.evaluation import EvaluationSet
from profiler.tasks.task import task_of
from profiler.units import counted

Array = np.ndarray[Any, Any]

RARE = 10
"""rows of a class: with fewer, a loss of one row is ten points"""
MOST_FEATURES = 4096
"""features of an input that are looked at one by one; pixels of larger pictures are not"""
SHIFT_ALPHA = 0.01
"""chance of naming any feature of rows that were drawn alike (Holm over features)"""
LEAST_CALIBRATION = 8
_SHOWN = 4


def findings(data: EvaluationSet, task: str) -> tuple[str, ...]:
    """Lines for people: features that say nothing, classes too rare for a verdict, and calibration
    rows unlike those that evaluate."""
    found: list[str] = []
    for name, values in _features(data):
        if data.inputs[name].ndim <= 2:  # of pixels, many are alike
            found += _constant(name, values[data.evaluation])
            found += _equal(name, values[data.evaluation])
        found += _shift(name, values[data.calibration], values[data.evaluation])
    if data.labels is not None and task_of(task).one_class:
        found += _rare(data.labels[data.evaluation])
    return tuple(found)


def _features(data: EvaluationSet) -> Iterator[tuple[str, Array]]:
    """Inputs of numbers as [rows, features]."""
    for name, values in data.inputs.items():
        if values.dtype.kind not in "fiub" or values.ndim < 1:
            continue
        features = int(np.prod(values.shape[1:], dtype=np.int64))
        if 0 < features <= MOST_FEATURES:
            yield name, values.reshape(len(values), features)


def _named(name: str, columns: list[int], of: int) -> str:
    if of == 1:
        return name
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"{name}[{', '.join(map(str, columns[:_SHOWN]))}]{more}"


def _constant(name: str, rows: Array) -> list[str]:
    same = np.flatnonzero((rows == rows[:1]).all(axis=0)).tolist()
    if not same:
        return []
    of = f"{counted(len(same), 'feature')} of {rows.shape[1]}"
    return [f"{_named(name, same, rows.shape[1])}: the same in all rows ({of})"]


def _equal(name: str, rows: Array) -> list[str]:
    alike: dict[bytes, list[int]] = defaultdict(list)
    for column in range(rows.shape[1]):
        values = np.ascontiguousarray(rows[:, column])
        if (values != values[0]).any():
            alike[values.tobytes()].append(column)
    twins = [columns for columns in alike.values() if len(columns) > 1]
    if not twins:
        return []
    first = " = ".join(_named(name, [column], rows.shape[1]) for column in twins[0][:2])
    return [f"{first}: equal in all rows ({counted(len(twins), 'set')} of such features)"]


def _shift(name: str, calibration: Array, evaluation: Array) -> list[str]:
    """Features whose distribution differs (Kolmogorov-Smirnov, Holm over all features)."""
    if len(calibration) < LEAST_CALIBRATION or len(evaluation) < LEAST_CALIBRATION:
        return []
    from scipy.stats import ks_2samp

    from profiler.statistics.ratio import holm

    varying = [
        column for column in range(evaluation.shape[1])
        if (evaluation[:, column] != evaluation[0, column]).any()
    ]  # fmt: skip
    if not varying:
        return []
    p = holm([
        float(ks_2samp(calibration[:, column], evaluation[:, column]).pvalue) for column in varying
    ])  # fmt: skip
    shifted = [column for column, value in zip(varying, p, strict=True) if value < SHIFT_ALPHA]
    if not shifted:
        return []
    return [
        f"{_named(name, shifted, evaluation.shape[1])}: calibration rows are unlike evaluation rows"
        f" ({counted(len(shifted), 'feature')} of {evaluation.shape[1]}): ranges of 8-bit variants"
        " come from other data than they are judged on"
    ]


def _rare(labels: Array) -> list[str]:
    names, counts = np.unique(labels, return_counts=True)
    rare = [f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count < RARE]
    if not rare:
        return []
    more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
    return [
        f"classes with fewer than {RARE} evaluation rows, too few for a verdict on them:"
        f" {', '.join(rare[:_SHOWN])}{more}"
    ]
