"""Whether a model is already what a recipe would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from profiler.errors import VariantError
from profiler.sources.inspect import QUANTIZED
from profiler.variants.scope import LINEAR, all_nodes, scopes

_TAKES = {
    "int4": ("float32", "float16"), "int8-dynamic": ("float32",),
    "int8-static": ("float32", "float16"),
}  # fmt: skip
"""recipe -> types of weights that its quantizer finds"""
HALVES = {"bf16": "bfloat16", "fp16": "float16"}


def check_new(model: Any, recipe: str) -> None:
    """Raises VariantError where the weights of `model` leave `recipe` nothing to do."""
    floats = _floats(t for scope in scopes(model.graph) for t in scope.graph.initializer)
    why, way = None, f'leave "{recipe}" out of this model\'s variants'
    if recipe in _TAKES:
        products = _floats(_of_products(model))
        if not products & {*_TAKES[recipe]}:
            before = sorted({n.op_type for n in all_nodes(model.graph) if n.op_type in QUANTIZED})
            if before:
                why = f"the model is quantized already ({', '.join(before)})"
            elif products:
                taken = " or ".join(_TAKES[recipe])
                why = f"the weights of its products are {_said(products)}, it takes {taken}"
                way = "export the model in float32"
    elif recipe in HALVES and floats and "float32" not in floats:
        already = "already" if HALVES[recipe] in floats else "and not float32"
        why = f"the model's weights are {_said(floats)} {already}"
    if why is not None:
        raise VariantError(f"{recipe}: nothing to convert: {why}", hint=way)


def _said(types: set[str]) -> str:
    return " and ".join(sorted(types))


def _floats(weights: Iterable[Any]) -> set[str]:
    """Types of the weights that are floats of more than one number."""
    import onnx

    names = {
        onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16",
        onnx.TensorProto.BFLOAT16: "bfloat16", onnx.TensorProto.DOUBLE: "float64",
    }  # fmt: skip
    return {names[t.data_type] for t in weights if t.dims and t.data_type in names}


def _of_products(model: Any) -> Iterator[Any]:
    """The weights of the model's products."""
    for scope in scopes(model.graph):
        for node in scope.graph.node:
            if node.op_type in LINEAR or node.op_type == "LSTM":
                fixed = (scope.fixed(name) for name in node.input[:2])
                yield from (weights for weights in fixed if weights is not None)
