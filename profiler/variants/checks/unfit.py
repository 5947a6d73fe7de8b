"""Nodes that ONNX Runtime's 8-bit operators compute wrongly or not at all.

Each was found by `tests/variants/test_attributes.py`, which walks every attribute of every
operator that is quantized.
"""

from __future__ import annotations

from typing import Any

from profiler.variants.scope import LINEAR, Scope, scopes

MATRIX = 2


def unfit_static(model: Any) -> list[str]:
    """Names of the nodes that stay float in a QDQ model, in the graph's order.

    Products inside branches and loops do, as no range is calibrated there.
    The runtime makes 8-bit operators of whatever stands between 8-bit tensors: where that is
    wrong, the nodes that read the result stay float, too.
    """
    scope, *inside = scopes(model.graph)
    wrong = {name for node in model.graph.node if _no_kernel(node) for name in node.output}
    return [
        node.name
        for node in model.graph.node
        if _no_kernel(node) or wrong & set(node.input) or _no_scales(node, scope)
    ] + [node.name for branch in inside for node in branch.graph.node if node.op_type in LINEAR]


def unfit_dynamic(model: Any, *, signed: bool, per_channel: bool) -> list[str]:
    """Names of the nodes that stay float with scales found at run time.

    `signed` weights have no zero point; DynamicQuantizeLSTM takes none. Only a matrix
    has a scale per channel.
    """
    return [
        node.name
        for scope in scopes(model.graph)
        for node in scope.graph.node
        if (node.op_type == "LSTM" and not signed)
        or (node.op_type == "MatMul" and per_channel and _rank(node, 1, scope) not in (0, MATRIX))
    ]


def per_tensor(model: Any) -> dict[str, str]:
    """Weights that take one scale for all channels -> the name of the node that reads them.

    The quantizer scales axis 1: for a transposed convolution in groups that is a part of the
    channels, for stacked matrices the axis that is summed over.
    """
    scope = Scope(model.graph)
    return {
        node.input[1]: node.name
        for node in model.graph.node
        if scope.fixed(node.input[1] if len(node.input) > 1 else "") is not None
        and (
            (node.op_type == "ConvTranspose" and _said(node).get("group", 1) != 1)
            or (node.op_type == "MatMul" and _rank(node, 1, scope) > MATRIX)
        )
    }


def _no_kernel(node: Any) -> bool:
    """Whether the 8-bit operator lacks what an attribute asks for."""
    return node.op_type == "AveragePool" and any(n != 1 for n in _said(node).get("dilations", ()))


def _no_scales(node: Any, scope: Scope) -> bool:
    """Whether the quantizer finds no scale, or a wrong one."""
    if node.op_type == "Resize":  # its output gets its input's scale
        return bool(_said(node).get("coordinate_transformation_mode") == b"tf_crop_and_resize")
    return bool(node.op_type == "LayerNormalization" and _rank(node, 1, scope) > 1)


def _said(node: Any) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {a.name: get_attribute_value(a) for a in node.attribute if not a.ref_attr_name}


def _rank(node: Any, place: int, scope: Scope) -> int:
    """Number of axes of a node's weights; 0 for one number and for what is computed."""
    weights = scope.fixed(node.input[place]) if len(node.input) > place else None
    return 0 if weights is None else len(weights.dims)
