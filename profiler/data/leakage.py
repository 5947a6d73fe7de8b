"""Equal rows in two parts of the data: what calibrated or chose a variant must not judge it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from profiler.errors import DataError

Array = np.ndarray[Any, Any]
_SHOWN = 5


def row_hashes(
    inputs: Mapping[str, Array], rows: Array, like: Mapping[str, Array] | None = None
) -> list[bytes]:
    """A hash of each row's input values, in the dtypes of `like`; labels don't count."""
    columns = [(np.asarray(inputs[n]), (like or inputs)[n].dtype) for n in sorted(inputs)]
    found = []
    for row in rows:
        digest = hashlib.blake2b(digest_size=16)
        for column, dtype in columns:
            digest.update(np.ascontiguousarray(column[row], dtype=dtype).tobytes())
        found.append(digest.digest())
    return found


def shared_rows(
    inputs: Mapping[str, Array],
    parts: Mapping[str, Array],
    train: Mapping[str, Array] | None = None,
) -> list[tuple[str, int, str, int]]:
    """(part, row, other part, equal row) for each row that an earlier part, or train, holds too."""
    first: dict[bytes, tuple[str, int]] = {}
    found = []
    if train:
        rows = np.arange(len(next(iter(train.values()))))
        for row, digest in zip(rows, row_hashes(train, rows, inputs), strict=True):
            first.setdefault(digest, ("train", int(row)))
    for part, rows in parts.items():
        for row, digest in zip(rows, row_hashes(inputs, rows), strict=True):
            other, twin = first.setdefault(digest, (part, int(row)))
            if other != part:
                found.append((other, twin, part, int(row)))
    return found


def check(
    inputs: Mapping[str, Array],
    parts: Mapping[str, Array],
    where: str,
    train: Mapping[str, Array] | None = None,
) -> None:
    """Raises DataError naming the row numbers when two parts share a row."""
    found = shared_rows(inputs, parts, train)
    if not found:
        return
    listed = "; ".join(f"{a} row {i} = {b} row {j}" for a, i, b, j in found[:_SHOWN])
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    raise DataError(
        f"{where}: {len(found)} row(s) are in two parts of the data: {listed}{more}",
        hint="rows count from 0; drop them, or set allow_duplicates = true under [data]",
    )
