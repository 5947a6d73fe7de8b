"""4-bit weights of matrix products, float activations (MatMulNBits). For large dense models.

RTN rounds each block of a column by its own scale; HQQ also fits the zero point (Badri & Shaji
2023); GPTQ corrects later columns for the error of earlier ones on calibration rows (Frantar et
al. 2022).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.errors import VariantError
from profiler.schema.study.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.graph import finished, float_nodes, raised, write
from profiler.variants.operators import name_nodes
from profiler.variants.products import as_products
from profiler.variants.recipe import Request
from profiler.variants.recipes.gptq import round_again
from profiler.variants.rows import queries_of, reader
from profiler.variants.scope import all_nodes

VERSION = 3
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
    hqq = spec.algorithm == "hqq"
    if hqq:
        _needs_torch()
    elif spec.algorithm == "gptq":
        queries_of(request, "int4:gptq")
    source = None
    if spec.algorithm == "gptq":
        source = onnx.ModelProto()
        source.CopyFrom(model)
    config = nbits.HQQWeightOnlyQuantConfig if hqq else nbits.DefaultWeightOnlyQuantConfig
    with quiet():
        try:
            maker = nbits.MatMulNBitsQuantizer(
                model,
                block_size=spec.block_size,
                nodes_to_exclude=blocked,
                algo_config=config(block_size=spec.block_size, bits=4),
            )
            maker.process()
        except Exception as error:  # the quantizer raises ValueError, AssertionError and others
            raise VariantError(f"int4: the quantizer failed: {cause(error)}") from None
    target = request.scratch / "int4.onnx"
    made = maker.model.model
    if source is not None:
        rows = iter(reader(request.calibration or {}, request.inputs).get_next, None)
        try:
            round_again(made, source, rows, request.scratch)
        except VariantError:
            raise
        except Exception as error:  # the runtime raises its own kinds
            raise VariantError(f"int4:gptq: can't calibrate: {cause(error)}") from None
    _unnamed(made, named)
    write(made, target)
    return finished(target, "int4", changed=_four)


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
