"""Rows of the user's data that the model answers before anything is planned.

The first ones, and for whole numbers (token ids, classes) those that hold the largest and the
smallest: what a model indexes with them ends at a number that no shape tells. As for made-up
queries, a helper process asks the CPU provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import DataError
from profiler.schema.artifact import Artifact
from profiler.schema.study.data import DataSpec
from profiler.sources import openable
from profiler.sources.openable import ASKED, BYTES
from profiler.sources.quiet import shortened
from profiler.statistics.pieces import chunks

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What feeds one model, its file being `file`: input -> [rows, ...] of its dtype."""

    baseline: Artifact
    file: Path
    data: DataSpec
    columns: tuple[str, ...]
    """of the data file that feed it, where the study names none"""
    bound: Mapping[str, Array]
    size: int
    """rows of a query"""

    def check(self, used: Array) -> None:
        """Raises DataError, naming row and columns, when the CPU provider refuses one of them.

        `used` are the numbers of the rows that are measured or calibrated with.
        """
        first = range(0, len(used), self.size)[:ASKED]
        starts = list(dict.fromkeys((*first, *self._extremes(used))))
        row_bytes = sum(value[:1].nbytes for value in self.bound.values())
        together = max(1, BYTES // max(1, row_bytes * self.size))
        for at in range(0, len(starts), together):
            some = starts[at : at + together]
            said = self._said(used, some)
            if said is not None:
                for start in some:
                    if (one := self._said(used, [start])) is not None:
                        raise self._refusal(self._rows(used, start), one)
                raise self._refusal(self._rows(used, some[0]), said)
        openable.forget()

    def _rows(self, used: Array, start: int) -> Array:
        """Numbers of the rows of one query; the last one is filled from the beginning."""
        rows: Array = used[np.arange(start, start + self.size) % len(used)]
        return rows

    def _said(self, used: Array, starts: list[int]) -> str | None:
        rows = np.stack([self._rows(used, start) for start in starts])
        return openable.refused(self.file, {n: np.asarray(v[rows]) for n, v in self.bound.items()})

    def _extremes(self, used: Array) -> Iterator[int]:
        """Places in `used` with the largest and smallest whole number of each input."""
        for value in self.bound.values():
            if value.dtype.kind in "iu" and value.size:
                low, high = _of_rows(value)
                yield int(low[used].argmin())
                yield int(high[used].argmax())

    def _refusal(self, rows: Array, said: str) -> DataError:
        model, spec = self.baseline.model, self.data
        named = f"row {rows[0]}" if len(rows) == 1 else f"rows {rows[0]} to {rows[-1]}"
        text = f"{spec.file}: the model {model} does not answer {named}"
        for name, value in self.bound.items():
            takes, held = self.baseline.takes.get(name), value[rows]
            if takes is None or takes.high is None or takes.counts or not held.size:
                continue
            if held.max() > takes.high or held.min() < -takes.high - 1:
                worst = held.max() if held.max() > takes.high else held.min()
                return DataError(
                    f"{text}: {self._column(name)} holds {worst}, its input takes {takes.low} to"
                    f" {takes.high}",
                    hint="number the column as the model was trained, or name another one:"
                    f' [data] inputs = {{ "{name}" = "<column>" }}',
                )
        inputs = ", ".join(
            f"{self._column(name)}, {value.dtype} {list(value.shape[1:])}"
            for name, value in self.bound.items()
        )
        return DataError(
            f"{text} ({shortened(inputs)}): {said}",
            hint="give each input the column it was trained with: [data] inputs ="
            f' {{ "{next(iter(self.bound))}" = "<column>" }}',
        )

    def _column(self, name: str) -> str:
        """'data.inputs.ids (column "tokens")'."""
        found = self.data.inputs.get(name, name if name in self.columns else self.columns)
        names = (found,) if isinstance(found, str) else found
        return f"data.inputs.{name} (column {', '.join(map(repr, names))})"


def _of_rows(value: Array) -> tuple[Array, Array]:
    """(smallest, largest number of each row)."""
    low, high = np.empty(len(value), value.dtype), np.empty(len(value), value.dtype)
    for piece in chunks(value):
        flat = np.asarray(value[piece]).reshape(piece.stop - piece.start, -1)
        low[piece], high[piece] = flat.min(axis=1), flat.max(axis=1)
    return low, high
