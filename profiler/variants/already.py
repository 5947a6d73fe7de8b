"""Whether a model is already what a recipe would make of it."""

from __future__ import annotations

from typing import Any

from profiler.errors import VariantError
from profiler.sources.inspect import QUANTIZED
from profiler.variants.scope import LINEAR, all_nodes, scopes

_WHOLE = ("int4", "int8-dynamic", "int8-static")
_HALVES = {"bf16": "bfloat16", "fp16": "float16"}


def check_new(model: Any, recipe: str) -> None:
    """Raises VariantError where the weights of `model` leave `recipe` nothing to do."""
    import onnx

    floats = _float_weights(model)
    names = {
        onnx.TensorProto.FLOAT16: "float16",
        onnx.TensorProto.BFLOAT16: "bfloat16",
        onnx.TensorProto.DOUBLE: "float64",
    }
    found = sorted(names[kind] for kind in floats if kind in names)
    why = None
    if recipe in _WHOLE and not _products(model):
        before = sorted({n.op_type for n in all_nodes(model.graph) if n.op_type in QUANTIZED})
        if before:
            why = f"the model is quantized already ({', '.join(before)})"
    elif recipe in _HALVES and found and onnx.TensorProto.FLOAT not in floats:
        already = "already" if _HALVES[recipe] in found else "and not float32"
        why = f"the model's weights are {' and '.join(found)} {already}"
    if why is not None:
        raise VariantError(
            f"{recipe}: nothing to convert: {why}",
            hint=f'leave "{recipe}" out of this model\'s variants',
        )


def _float_weights(model: Any) -> set[int]:
    """Types of the weights that are floats of more than one number."""
    import onnx

    kinds = {
        onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16,
        onnx.TensorProto.DOUBLE,
    }  # fmt: skip
    weights = (t for scope in scopes(model.graph) for t in scope.graph.initializer)
    return {t.data_type for t in weights if t.dims and t.data_type in kinds}


def _products(model: Any) -> bool:
    """Whether a product of the model has float weights."""
    import onnx

    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    return any(
        (weights := scope.fixed(name)) is not None and weights.data_type in kinds
        for scope in scopes(model.graph)
        for node in scope.graph.node
        if node.op_type in LINEAR or node.op_type == "LSTM"
        for name in node.input[:2]
    )
