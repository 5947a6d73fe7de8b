"""An evaluation set, in memory or mapped: inputs, labels, and which rows calibrate or evaluate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from profiler.statistics.pieces import chunks

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the file that is used: shape without the rows axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]


# Arrays have no truth value, so the generated __eq__ would raise; compare `sha`.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationSet:
    """Named inputs with rows along axis 0, in the file's dtypes, all finite."""

    inputs: dict[str, Array]
    """model input -> [rows, ...]; see `bind` for the model's dtypes"""
    labels: Array | None
    """classification: int64 [rows]; regression: float64 [rows] or [rows, targets];
    embedding: int64 [rows], equal for rows that belong together"""
    calibration: Array
    """int64, ascending row numbers; disjoint from `evaluation`"""
    evaluation: Array
    """int64, ascending row numbers, at least one"""
    sha: str
    """SHA-256 of inputs, labels and both lists of rows"""
    file: str
    """as the study names it"""
    columns: tuple[Column, ...]
    slices: dict[str, Array] = field(default_factory=dict)
    """slice column -> text [rows]"""
    confirmation: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64, ascending row numbers; only the chosen variant is judged on them"""
    pairs: dict[str, Array] = field(default_factory=dict)
    """embedding with scored pairs: pairs (int64 [rows]) and similarity (float64 [rows])"""
    text: Array | None = None
    """[rows], what some inputs were before they were tokenized; None without [data.text]"""
    named: bool = True
    """whether the study names the inputs; otherwise they are simply all other columns"""

    @property
    def judged(self) -> Array:
        """The rows that every variant answers: evaluation, then confirmation."""
        return np.concatenate([self.evaluation, self.confirmation])

    @property
    def rows(self) -> int:
        """Rows in the file, used or not."""
        return len(next(iter(self.inputs.values())))


def content_sha(inputs: dict[str, Array], labels: Array | None, rows: dict[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and values."""
    parts = [*sorted(inputs.items()), *((f"{name} rows", value) for name, value in rows.items())]
    if labels is not None:
        parts.append(("labels", labels))
    digest = hashlib.sha256()
    for name, value in parts:
        digest.update(json.dumps([name, value.dtype.str, list(value.shape)]).encode() + b"\n")
        for piece in chunks(value):
            digest.update(np.ascontiguousarray(value[piece]).data)
    return digest.hexdigest()
