"""4-bit weights of matrix products, float activations (MatMulNBits). For large dense models.

RTN rounds each block of a column by its own scale; HQQ also fits the zero point (Badri & Shaji
2023); GPTQ corrects later columns for the error of earlier ones on calibration rows (Frantar et
al. 2022).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.errors import VariantError
from profiler.schema.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.operators import name_nodes
from profiler.variants.prepare import finished, float_nodes, raised, write
from profiler.variants.products import as_products
from profiler.variants.recipe import Request
from profiler.variants.rows import queries_of, reader
from profiler.variants.scope import all_nodes

VERSION = 2
OPSET = 17


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Algorithm, block and the nodes that stay float32."""
    kept = {"keep_float": " ".join(spec.keep_float)} if spec.keep_float else {}
    return {"algorithm": spec.algorithm, "block_size": str(spec.block_size), **kept}


def make(request: Request) -> Path:
    """Replace every MatMul with a constant right side, and the Gemm that are such a product."""
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    spec = request.spec
    model = onnx.load(raised(request.source, request.scratch, OPSET))
    as_products(model)
    named = name_nodes(model)
    blocked = float_nodes(model, spec.keep_float)
    if spec.algorithm == "hqq":
        _needs_torch()
    elif spec.algorithm == "gptq":
        queries_of(request, "int4:gptq")
    reasons = []
    # ONNX Runtime 1.31 packs GPTQ's zero points wrongly for an odd number of blocks in a column;
    # symmetric scales have none.
    for symmetric in (False, True) if spec.algorithm == "gptq" else (False,):
        fresh = onnx.ModelProto()
        fresh.CopyFrom(model)
        with quiet():
            try:
                maker = nbits.MatMulNBitsQuantizer(
                    fresh,
                    block_size=spec.block_size,
                    is_symmetric=symmetric,
                    nodes_to_exclude=blocked,
                    algo_config=_config(request, nbits),
                )
                maker.process()
                break
            except Exception as error:  # the quantizer raises ValueError, AssertionError and others
                reasons.append(cause(error))
    else:
        raise VariantError(f"int4: the quantizer failed: {reasons[-1]}")
    target = request.scratch / "int4.onnx"
    made = maker.model.model
    _unnamed(made, named)
    write(made, target)
    return finished(target, "int4", changed=_four)


def _config(request: Request, nbits: Any) -> Any:
    spec = request.spec
    if spec.algorithm == "hqq":
        return nbits.HQQWeightOnlyQuantConfig(block_size=spec.block_size, bits=4)
    if spec.algorithm == "gptq":
        return nbits.GPTQWeightOnlyQuantConfig(
            calibration_data_reader=reader(request.calibration or {}, request.inputs),
            block_size=spec.block_size,
        )
    return nbits.DefaultWeightOnlyQuantConfig(block_size=spec.block_size, bits=4)


def _four(model: Any) -> int:
    return sum(node.op_type == "MatMulNBits" for node in all_nodes(model.graph))


def _unnamed(model: Any, new: set[str]) -> None:
    for node in all_nodes(model.graph):
        if node.name in new:
            node.name = ""


def _needs_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        raise VariantError(
            "int4: hqq needs torch, which is not installed",
            hint="pip install 'hardware-profiler[torch]', or use int4:rtn",
        ) from None
