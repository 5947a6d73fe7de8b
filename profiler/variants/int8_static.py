"""8-bit weights and activations with ranges learnt from calibration rows, as QDQ pairs.

Activations are unsigned and weights signed (U8S8) by default, ONNX Runtime's advice for x86 CPUs
with VNNI.
"""

from __future__ import annotations

from pathlib import Path

from profiler.errors import VariantError
from profiler.schema.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.prepare import finished, large, prepared
from profiler.variants.recipe import Request
from profiler.variants.rows import queries_of, reader

VERSION = 2
_LARGEST_STRIDE = 16


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Weight type, granularity and how ranges are found."""
    return {
        "activations": spec.activations,
        "weights": spec.weights,
        "per_channel": str(spec.per_channel).lower(),
        "reduce_range": str(spec.reduce_range).lower(),
        "method": spec.method,
        **({"keep_float": " ".join(spec.keep_float)} if spec.keep_float else {}),
    }


def _stride(queries: int) -> int:
    """Queries whose activations are held at once; the quantizer wants a divisor of the total."""
    return next(n for n in range(min(queries, _LARGEST_STRIDE), 0, -1) if queries % n == 0)


def make(request: Request) -> Path:
    """Calibrate on request.calibration and write a QDQ model."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    rows = request.calibration or {}
    queries = queries_of(request, "int8-static")
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    source, kept = prepared(request.source, request.scratch, request.spec.keep_float)
    target = request.scratch / "int8-static.onnx"
    kinds = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    weights, activations = kinds[request.spec.weights], kinds[request.spec.activations]
    with quiet():
        try:
            quantize_static(
                source,
                target,
                reader(rows, request.inputs),
                quant_format=QuantFormat.QDQ,
                # Sorted, because the default is a set whose order changes with the hash seed.
                op_types_to_quantize=sorted({*QLinearOpsRegistry, *QDQRegistry}),
                per_channel=request.spec.per_channel,
                activation_type=activations,
                weight_type=weights,
                reduce_range=request.spec.reduce_range,
                nodes_to_exclude=kept,
                use_external_data_format=large(source),
                calibrate_method=methods[request.spec.method],
                # Histogram methods keep every activation of a stride: 16 queries, not all of them.
                # (CalibMaxIntermediateOutputs would drop batches: ONNX Runtime 1.31 clears them
                # before they are merged.)
                extra_options={
                    "WeightSymmetric": weights == QuantType.QInt8,
                    "ActivationSymmetric": activations == QuantType.QInt8,
                    "CalibStridedMinMax": _stride(queries),
                },
            )
        except Exception as error:  # the quantizer raises ValueError, RuntimeError and others
            raise VariantError(f"int8-static: the quantizer failed: {cause(error)}") from None
    return finished(target, "int8-static")
