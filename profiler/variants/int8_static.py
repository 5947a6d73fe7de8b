"""8-bit weights and activations with ranges learnt from calibration rows, as QDQ pairs.

Activations are unsigned and weights signed (U8S8) by default, ONNX Runtime's advice for x86 CPUs
with VNNI.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import VariantError
from profiler.schema.artifact import Tensor
from profiler.schema.study import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.prepare import finished, prepared
from profiler.variants.recipe import Array, Request

VERSION = 1
NEEDS_CALIBRATION = True
_LARGEST_STRIDE = 16


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Weight type, granularity and how ranges are found."""
    return {
        "activations": "uint8",
        "weights": spec.weights,
        "per_channel": str(spec.per_channel).lower(),
        "method": spec.method,
    }


def query_rows(inputs: tuple[Tensor, ...]) -> int:
    """Rows per calibration query: the model's own batch when it is fixed, else 1."""
    sizes = {t.shape[0] for t in inputs if t.shape and isinstance(t.shape[0], int)}
    return max((size for size in sizes if isinstance(size, int)), default=1)


def _reader(rows: dict[str, Array], per_query: int) -> Any:
    """A CalibrationDataReader over `rows`; only one query's rows are ever copied."""
    from onnxruntime.quantization import CalibrationDataReader

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


def _stride(queries: int) -> int:
    """Queries whose activations are held at once; the quantizer wants a divisor of the total."""
    return next(n for n in range(min(queries, _LARGEST_STRIDE), 0, -1) if queries % n == 0)


def make(request: Request) -> Path:
    """Calibrate on request.calibration and write a QDQ model."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    rows = request.calibration or {}
    per_query = query_rows(request.inputs)
    queries = len(next(iter(rows.values()))) // per_query
    if queries == 0:
        raise VariantError(
            f"int8-static: the model's batch is fixed at {per_query} and there are fewer "
            "calibration rows than that",
            hint=f"give at least {per_query} calibration rows, or export with a symbolic batch",
        )
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    source = prepared(request.source, request.scratch)
    target = request.scratch / "int8-static.onnx"
    kind = QuantType.QInt8 if request.spec.weights == "int8" else QuantType.QUInt8
    with quiet():
        try:
            quantize_static(
                source,
                target,
                _reader(rows, per_query),
                quant_format=QuantFormat.QDQ,
                # Sorted, because the default is a set whose order changes with the hash seed.
                op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry}),
                per_channel=request.spec.per_channel,
                activation_type=QuantType.QUInt8,
                weight_type=kind,
                calibrate_method=methods[request.spec.method],
                # Histogram methods keep every activation of a stride: 16 queries, not all of them.
                # (CalibMaxIntermediateOutputs would drop batches: ONNX Runtime 1.31 clears them
                # before they are merged.)
                extra_options={
                    "WeightSymmetric": kind == QuantType.QInt8,
                    "CalibStridedMinMax": _stride(queries),
                },
            )
        except Exception as error:  # the quantizer raises ValueError, RuntimeError and others
            raise VariantError(f"int8-static: the quantizer failed: {cause(error)}") from None
    return finished(target, "int8-static")
