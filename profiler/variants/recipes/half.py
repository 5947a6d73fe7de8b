"""16-bit floats: IEEE half or bfloat16 inside, float32 at the model's inputs and outputs.

The conversion is ONNX Runtime's own. A processor without 16-bit kernels computes half precision
in float32 between casts; for bfloat16 the CPU provider has next to no kernels, and the reason it
gives is the variant's row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import VariantError
from profiler.schema.study.variant import VariantSpec
from profiler.sources.quiet import cause, quiet
from profiler.variants.graph import finished, float_nodes, large, raised, write
from profiler.variants.recipe import Request
from profiler.variants.scope import all_nodes, scopes

VERSION = 2
BFLOAT16_OPSET = 22
"""from here on Conv and the other standard operators take bfloat16"""


def parameters(spec: VariantSpec) -> dict[str, str]:
    """Only the nodes that stay float32."""
    return {"keep_float": " ".join(spec.keep_float)} if spec.keep_float else {}


def make(request: Request) -> Path:
    """Convert weights and activations; named nodes keep float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    recipe = request.spec.recipe or request.spec.name
    brain = recipe == "bf16"
    source = raised(request.source, request.scratch, BFLOAT16_OPSET) if brain else request.source
    model = onnx.load(source)
    blocked = float_nodes(model, request.spec.keep_float)
    weights = (t for scope in scopes(model.graph) for t in scope.graph.initializer)
    exact = {t.name: onnx.numpy_helper.to_array(t) for t in weights} if brain else {}
    with quiet():
        try:
            if not large(source):  # shape inference goes through one protobuf message
                model = onnx.shape_inference.infer_shapes(model)
            made = convert_float_to_float16(
                model,
                keep_io_types=True,
                node_block_list=blocked or None,
                disable_shape_infer=True,
            )
        except Exception as error:  # the converter raises ValueError, KeyError and others
            raise VariantError(f"{recipe}: the converter failed: {cause(error)}") from None
    if brain:
        _to_bfloat16(made, exact)
    target = request.scratch / f"{recipe}.onnx"
    write(made, target)
    return finished(target, recipe, changed=_sixteen)


def _sixteen(model: Any) -> int:
    """How many nodes read 16-bit weights or what was cast to 16 bits, and compute."""
    import onnx

    kinds = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    half = {t.name for s in scopes(model.graph) for t in s.graph.initializer
            if t.data_type in kinds}  # fmt: skip
    for node in all_nodes(model.graph):
        if node.op_type == "Cast" and any(a.i in kinds for a in node.attribute):
            half.update(node.output)
    return sum(
        node.op_type != "Cast" and not half.isdisjoint(node.input)
        for node in all_nodes(model.graph)
    )


def _to_bfloat16(model: Any, exact: dict[str, np.ndarray[Any, Any]]) -> None:
    """Relabel what the converter made half; weights are rounded once, from their float32."""
    import ml_dtypes
    import onnx

    half, brain = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16

    def tensor(found: Any, name: str) -> None:
        value = exact.get(name)
        if value is None or value.dtype != np.float32:
            value = onnx.numpy_helper.to_array(found).astype(np.float32)
        found.CopyFrom(onnx.numpy_helper.from_array(value.astype(ml_dtypes.bfloat16), name))

    for scope in scopes(model.graph):
        graph = scope.graph
        for weight in graph.initializer:
            if weight.data_type == half:
                tensor(weight, weight.name)
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.name == "to" and attribute.i == half:
                    attribute.i = brain
                elif attribute.HasField("t") and attribute.t.data_type == half:
                    tensor(attribute.t, attribute.t.name)
        for value in (*graph.value_info, *graph.input, *graph.output):
            if value.type.tensor_type.elem_type == half:
                value.type.tensor_type.elem_type = brain
