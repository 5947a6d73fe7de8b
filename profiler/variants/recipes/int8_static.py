"""8-bit weights and activations with ranges learnt from calibration rows, as QDQ pairs.

Activations are unsigned and weights signed (U8S8) by default, ONNX Runtime's advice for x86 CPUs
with VNNI. Which operators are quantized depends on the graph: see `operators`.
"""

from __future__ import annotations

from pathlib import Path

from profiler.errors import VariantError
from profiler.schema.study.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.checks.unfit import per_tensor, unfit_static
from profiler.variants.graph import finished, large, prepared
from profiler.variants.operators import (
    FLOAT_OUTPUT,
    KEPT,
    OPERATORS,
    PER_TENSOR,
    name_nodes,
    part_rectified,
    unresolved,
    wants_linear,
)
from profiler.variants.recipe import Request
from profiler.variants.rows import queries_of, reader
from profiler.variants.scope import LINEAR

VERSION = 4
_LARGEST_STRIDE = 16


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Weight type, granularity and how ranges are found."""
    return {
        "activations": spec.activations,
        "weights": spec.weights,
        "per_channel": str(spec.per_channel).lower(),
        "reduce_range": str(spec.reduce_range).lower(),
        "method": spec.method,
        "operators": spec.operators,
        **({"keep_float": " ".join(spec.keep_float)} if spec.keep_float else {}),
    }


def _stride(queries: int) -> int:
    """Queries whose activations are held at once; the quantizer wants a divisor of the total."""
    return next(n for n in range(min(queries, _LARGEST_STRIDE), 0, -1) if queries % n == 0)


def make(request: Request) -> Path:
    """Calibrate on request.calibration and write a QDQ model, which records what stayed float."""
    import onnx
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
    graph = onnx.load(source, load_external_data=False)
    named, parted = name_nodes(graph), part_rectified(graph)
    if named or parted:
        onnx.save(graph, source)
    together = per_tensor(graph) if request.spec.per_channel else {}
    operators = request.spec.operators
    if operators == "auto":
        operators = "linear" if wants_linear(graph) else "all"
    # Sorted, because the default is a set whose order changes with the hash seed.
    types, options = sorted({*QLinearOpsRegistry, *QDQRegistry}), {}
    resolved = list(dict.fromkeys([*kept, *unfit_static(graph)]))
    if operators == "linear":
        try:
            floats = unresolved(source, iter(reader(rows, request.inputs).get_next, None))
        except Exception as error:  # the runtime raises its own kinds
            raise VariantError(f"int8-static: can't calibrate: {cause(error)}") from None
        resolved += [name for name in floats if name not in resolved]
        types, options = list(LINEAR), {"OpTypesToExcludeOutputQuantization": [*FLOAT_OUTPUT]}
    kinds = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    weights, activations = kinds[request.spec.weights], kinds[request.spec.activations]
    with quiet():
        try:
            quantize_static(
                source,
                target,
                reader(rows, request.inputs),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=types,
                per_channel=request.spec.per_channel,
                activation_type=activations,
                weight_type=weights,
                reduce_range=request.spec.reduce_range,
                nodes_to_exclude=resolved,
                use_external_data_format=large(source),
                calibrate_method=methods[request.spec.method],
                # Histogram methods keep every activation of a stride: 16 queries, not all of them.
                # (CalibMaxIntermediateOutputs would drop batches: ONNX Runtime 1.31 clears them
                # before they are merged.)
                extra_options={
                    "WeightSymmetric": weights == QuantType.QInt8,
                    "ActivationSymmetric": activations == QuantType.QInt8,
                    "CalibStridedMinMax": _stride(queries),
                    "TensorQuantOverrides": {name: [{}] for name in together},
                    **options,
                },
            )
        except Exception as error:  # the quantizer raises ValueError, RuntimeError and others
            raise VariantError(f"int8-static: the quantizer failed: {cause(error)}") from None
    automatic = [name for name in resolved if name not in kept]
    notes = {
        OPERATORS: operators,
        KEPT: " ".join(automatic),
        PER_TENSOR: " ".join(dict.fromkeys(together.values())),
    }
    return finished(target, "int8-static", notes={k: v for k, v in notes.items() if v})
