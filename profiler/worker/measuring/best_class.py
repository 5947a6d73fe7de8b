"""Scores of a pixel become its best class on the device: masks are small enough to send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def best_class(scores: Any, axis: int) -> Any:
    """Class numbers from `scores` without `axis`; the type's highest number where NaN or Inf is.

    uint8 for up to 255 classes, else uint16. Whole numbers are classes already.
    """
    if scores.dtype.kind in "iu":
        return scores
    if scores.ndim != 4:
        raise RuntimeError(f"expected scores of 4 dimensions, got {list(scores.shape)}")
    kind: Any = np.uint8 if scores.shape[axis] <= 255 else np.uint16
    found = scores.argmax(axis=axis).astype(kind)
    found[~np.isfinite(scores).all(axis=axis)] = np.iinfo(kind).max
    return found


def pieces(rows: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """The rows, `count` at a time."""
    total = len(next(iter(rows.values())))
    for start in range(0, total, count):
        yield {name: value[start : start + count] for name, value in rows.items()}
