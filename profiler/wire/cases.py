"""Queries that a session must not be asked, by name."""

from __future__ import annotations

CASES = (
    "nan", "inf", "extremes", "empty_batch", "wrong_shape", "wrong_dtype", "oversize_batch",
    "overload",
)  # fmt: skip
