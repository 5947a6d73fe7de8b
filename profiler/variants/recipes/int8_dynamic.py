"""8-bit weights; activations are scaled at run time, per query. Needs no calibration data.

Wins where reading weights is the cost (MatMul, Gemm, recurrent layers). Convolutions become
ConvInteger, which is slower than float on most CPUs: that is measured, not prevented.
"""

from __future__ import annotations

from pathlib import Path

from profiler.errors import VariantError
from profiler.schema.study.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.checks.unfit import unfit_dynamic
from profiler.variants.graph import finished, large, prepared
from profiler.variants.operators import KEPT, name_nodes
from profiler.variants.products import as_products
from profiler.variants.recipe import Request

VERSION = 3


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Per-channel applies to MatMul; ConvInteger takes one scale only, whatever is asked."""
    return {
        "weights": spec.weights,
        "per_channel": str(spec.per_channel).lower(),
        "reduce_range": str(spec.reduce_range).lower(),
        **({"keep_float": " ".join(spec.keep_float)} if spec.keep_float else {}),
    }


def make(request: Request) -> Path:
    """Quantize weights of every operator that ONNX Runtime can run with dynamic scales."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.registry import IntegerOpsRegistry

    source, kept = prepared(request.source, request.scratch, request.spec.keep_float)
    target = request.scratch / "int8-dynamic.onnx"
    kind = QuantType.QInt8 if request.spec.weights == "int8" else QuantType.QUInt8
    graph = onnx.load(source, load_external_data=False)
    named, split = name_nodes(graph), as_products(graph)
    if named or split:
        onnx.save(graph, source)
    unfit = unfit_dynamic(
        graph, signed=kind == QuantType.QInt8, per_channel=request.spec.per_channel
    )
    automatic = [name for name in unfit if name not in kept]
    with quiet():
        try:
            quantize_dynamic(
                source,
                target,
                # Sorted, because the default is a set whose order changes with the hash seed.
                op_types_to_quantize=sorted(IntegerOpsRegistry),
                per_channel=request.spec.per_channel,
                weight_type=kind,
                reduce_range=request.spec.reduce_range,
                nodes_to_exclude=[*kept, *automatic],
                use_external_data_format=large(source),
                extra_options={
                    "WeightSymmetric": kind == QuantType.QInt8,
                    "EnableSubgraph": True,
                },
            )
        except Exception as error:  # the quantizer raises ValueError, RuntimeError and others
            raise VariantError(f"int8-dynamic: the quantizer failed: {cause(error)}") from None
    notes = {KEPT: " ".join(automatic)} if automatic else {}
    return finished(target, "int8-dynamic", notes=notes)
