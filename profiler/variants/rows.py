"""Calibration rows as the queries a quantizer asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.errors import VariantError
from profiler.schema.artifact import Tensor
from profiler.variants.recipe import Array, Request


def query_rows(inputs: tuple[Tensor, ...]) -> int:
    """Rows per calibration query: the model's own batch when it is fixed, else 1."""
    sizes = {t.shape[0] for t in inputs if t.shape and isinstance(t.shape[0], int)}
    return max((size for size in sizes if isinstance(size, int)), default=1)


def queries_of(request: Request, recipe: str) -> int:
    """How many whole queries the calibration rows give. Raises VariantError for none."""
    per_query = query_rows(request.inputs)
    queries = len(next(iter((request.calibration or {}).values()))) // per_query
    if queries == 0:
        raise VariantError(
            f"{recipe}: the model's batch is fixed at {per_query} and there are fewer "
            "calibration rows than that",
            hint=f"give at least {per_query} calibration rows, or export with a symbolic batch",
        )
    return queries


def reader(rows: dict[str, Array], inputs: tuple[Tensor, ...]) -> Any:
    """A CalibrationDataReader over `rows`; only one query's rows are ever copied."""
    from onnxruntime.quantization import CalibrationDataReader

    per_query = query_rows(inputs)
    queries = len(next(iter(rows.values()))) // per_query

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.next, self.end = 0, queries

        def __len__(self) -> int:
            return queries

        def set_range(self, start_index: int, end_index: int) -> None:
            self.next, self.end = start_index, end_index

        def get_next(self) -> dict[str, Array] | None:
            if self.next >= self.end:
                return None
            start = self.next * per_query
            self.next += 1
            return {k: np.ascontiguousarray(v[start : start + per_query]) for k, v in rows.items()}

    return Reader()
