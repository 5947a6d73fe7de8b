"""Gemm as the MatMul and Add that it stands for, for quantizers that know MatMul alone."""

from __future__ import annotations

from typing import Any

from profiler.variants.scope import Scope, all_names, fresh, scopes


def as_products(model: Any) -> bool:
    """Replace every Gemm whose second input is fixed, also inside branches; True if any.

    Weights that several of them share are transposed once. A MatMul takes the Gemm's name.
    Leaves alpha, beta and a transposed first input as they are: see `plain`.
    """
    taken, changed = all_names(model.graph), False
    for scope in scopes(model.graph):
        turned: dict[str, str] = {}
        nodes = []
        for node in scope.graph.node:
            said = {a.name: a.f if a.name in ("alpha", "beta") else a.i for a in node.attribute}
            plain = said.get("alpha", 1) == said.get("beta", 1) == 1 and not said.get("transA", 0)
            if node.op_type == "Gemm" and plain and scope.fixed(node.input[1]) is not None:
                nodes += _split(node, scope, turned if said.get("transB", 0) else None, taken)
                changed = True
            else:
                nodes.append(node)
        del scope.graph.node[:]
        scope.graph.node.extend(nodes)
    return changed


def _split(node: Any, scope: Scope, turned: dict[str, str] | None, taken: set[str]) -> list[Any]:
    """MatMul and, with a bias, Add; `turned` holds the weights transposed so far."""
    import numpy as np
    from onnx import helper, numpy_helper

    first, weights, bias = [*node.input, ""][:3]
    if turned is not None:
        if weights not in turned:
            turned[weights] = fresh(f"{weights}_turned", taken)
            value = np.ascontiguousarray(numpy_helper.to_array(scope.fixed(weights)).T)
            scope.graph.initializer.append(numpy_helper.from_array(value, turned[weights]))
        weights = turned[weights]
    if not bias:
        return [helper.make_node("MatMul", [first, weights], node.output, name=node.name)]
    product = fresh(f"{node.output[0]}_product", taken)
    added = f"{node.name}_bias" if node.name else ""
    return [
        helper.make_node("MatMul", [first, weights], [product], name=node.name),
        helper.make_node("Add", [product, bias], node.output, name=added),
    ]
