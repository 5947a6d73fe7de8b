"""Equal rows in two parts of the data: what calibrated or chose a variant must not judge it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from profiler.errors import DataError

Array = np.ndarray[Any, Any]
_SHOWN = 5


def row_hashes(inputs: Mapping[str, Array], rows: Array) -> list[bytes]:
    """A hash of each row's input values; labels don't count."""
    columns = [np.asarray(inputs[name]) for name in sorted(inputs)]
    found = []
    for row in rows:
        digest = hashlib.blake2b(digest_size=16)
        for column in columns:
            digest.update(np.ascontiguousarray(column[row]).tobytes())
        found.append(digest.digest())
    return found


def shared_rows(
    inputs: Mapping[str, Array], parts: Mapping[str, Array]
) -> list[tuple[str, int, str, int]]:
    """(part, row, other part, equal row) for each row that an earlier part holds too."""
    first: dict[bytes, tuple[str, int]] = {}
    found = []
    for part, rows in parts.items():
        for row, digest in zip(rows, row_hashes(inputs, rows), strict=True):
            other, twin = first.setdefault(digest, (part, int(row)))
            if other != part:
                found.append((other, twin, part, int(row)))
    return found


def check(inputs: Mapping[str, Array], parts: Mapping[str, Array], where: str) -> None:
    """Raises DataError naming the row numbers when two parts share a row."""
    found = shared_rows(inputs, parts)
    if not found:
        return
    listed = "; ".join(f"{a} row {i} = {b} row {j}" for a, i, b, j in found[:_SHOWN])
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    raise DataError(
        f"{where}: {len(found)} row(s) are in two parts of the data: {listed}{more}",
        hint="rows count from 0; drop them, or set allow_duplicates = true under [data]",
    )
