"""What every quantization recipe needs: a prepared graph, and a look at what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from profiler.errors import VariantError
from profiler.sources.inspect import opset
from profiler.sources.quiet import cause, quiet

LOWEST_OPSET = 13
"""below it DequantizeLinear has no axis, and per-channel silently becomes per-tensor"""
RAISED_OPSET = 17
"""what an older model is converted to: LayerNormalization is one node from here on"""
_QUANTIZED = (
    "ConvInteger",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLinear",
    "DequantizeLinear",
    "EmbedLayerNormalization",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QAttention",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)


def prepared(source: Path, scratch: Path) -> Path:
    """Fold, fuse and infer shapes, so that the quantizer finds its patterns.

    Symbolic shape inference is best for transformers but knows fewer operators than ONNX and
    needs sympy; without it the quantizer still works. Raises VariantError.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    raised = scratch / "raised.onnx"
    target = scratch / "prepared.onnx"
    try:
        model = onnx.load(source)
        if opset(model) < LOWEST_OPSET:
            onnx.save(onnx.version_converter.convert_version(model, RAISED_OPSET), raised)
            source = raised
        del model
    except Exception as error:  # the converter raises RuntimeError and others
        raise VariantError(
            f"the model's opset is below {LOWEST_OPSET} and can't be raised: {cause(error)}",
            hint=f"export the model again with opset {RAISED_OPSET} or newer",
        ) from None
    reasons = []
    for skip_symbolic, skip_fusing in ((False, False), (True, False), (True, True)):
        target.unlink(missing_ok=True)
        with quiet() as said:
            try:
                quant_pre_process(
                    source,
                    target,
                    skip_symbolic_shape=skip_symbolic,
                    skip_optimization=skip_fusing,
                    auto_merge=True,
                )
            except Exception as error:  # symbolic inference asserts, raises Exception and others
                reasons.append(cause(error))
                continue
        # A failed optimization is only logged and leaves an unoptimized graph behind.
        if target.is_file() and (skip_fusing or "Optimization Failed" not in said.getvalue()):
            return target
        reasons.append("ONNX Runtime can't optimize the graph")
    raise VariantError(f"the model can't be prepared for quantization: {reasons[-1]}")


def counted(path: Path) -> int:
    """Number of nodes of the main graph that compute or convert in eight bits."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return sum(node.op_type in _QUANTIZED for node in model.graph.node)


def finished(path: Path, recipe: str) -> Path:
    """Check that something was quantized and that the runtime takes the result; fix its bytes.

    Raises VariantError with the reason.
    """
    import onnx
    import onnxruntime

    if counted(path) == 0:
        raise VariantError(
            f"{recipe}: nothing to quantize: the model has no operator this recipe quantizes",
            hint=f'leave "{recipe}" out of this model\'s variants',
        )
    model = onnx.load(path)
    _strip(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise VariantError(
            f"{recipe}: ONNX Runtime does not take the quantized model: {cause(error)}"
        ) from None
    return path


def _strip(model: Any) -> None:
    """Shape notes and text that no runtime needs, and that may differ between equal runs."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.ClearField("doc_string")
    model.graph.ClearField("doc_string")
