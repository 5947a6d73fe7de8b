"""A model in the words that the quantizers understand, computing the same.

What they lose, refuse or get wrong is written another way first: model-local functions are
inlined, weights are initializers (not sparse, not Constant nodes, not inputs with a default), and
a Gemm scales nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from profiler.errors import VariantError
from profiler.sources.quiet import cause
from profiler.variants.graph import write
from profiler.variants.making.aside import Aside, set_aside, uncomputed
from profiler.variants.scope import Scope, all_names, fresh, scopes

LEAST_IR = 4
"""before it, weights had to be inputs"""


def plain(source: Path, scratch: Path) -> tuple[Path, Aside]:
    """The same model with nothing left that quantizers stumble over; `source` where that is all.

    Also what was taken out of it, for putting back.

    A node keeps its name; nodes out of a function have those inside it, with a number.
    Raises VariantError.
    """
    import onnx
    import onnx.inliner

    model = onnx.load(source, load_external_data=False)
    if not _odd(model):
        return source, Aside()
    model = onnx.load(source)
    if model.functions:
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # of protobuf, for more than 2 GB, and of the inliner
            raise VariantError(f"the model's functions can't be inlined: {cause(error)}") from None
    weights = {t.name for t in model.graph.initializer}
    weights |= {t.values.name for t in model.graph.sparse_initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, LEAST_IR)
    for scope in scopes(model.graph):
        _dense(scope.graph)
        _constants(scope.graph)
    taken = all_names(model.graph)
    for scope in scopes(model.graph):
        for node in [n for n in scope.graph.node if n.op_type == "Gemm"]:
            _unscaled(node, scope, taken)
    target = scratch / "plain.onnx"
    aside = set_aside(model)
    write(model, target)
    return target, aside


def _odd(model: Any) -> bool:
    """Whether `plain` would change a model."""
    names = {t.name for t in model.graph.initializer}
    return bool(
        model.functions
        or uncomputed(model.graph)
        or names & {value.name for value in model.graph.input}
        or any(
            scope.graph.sparse_initializer
            or any(
                node.op_type == "Constant" or (node.op_type == "Gemm" and _scales(node) != (1, 1))
                for node in scope.graph.node
            )
            for scope in scopes(model.graph)
        )
    )


def _dense(graph: Any) -> None:
    for sparse in graph.sparse_initializer:
        graph.initializer.append(_filled(sparse, sparse.values.name))
    del graph.sparse_initializer[:]


def _filled(sparse: Any, name: str) -> Any:
    """A SparseTensorProto with its zeros written out."""
    from onnx import numpy_helper

    values = numpy_helper.to_array(sparse.values)
    places = numpy_helper.to_array(sparse.indices)
    full = np.zeros(tuple(sparse.dims), values.dtype)
    if places.ndim == 1:
        full.reshape(-1)[places] = values
    else:
        full[tuple(places.T)] = values
    return numpy_helper.from_array(full, name)


def _constants(graph: Any) -> None:
    """Constant nodes become initializers, except where they are an output themselves."""
    outputs = {value.name for value in graph.output}
    for node in list(graph.node):
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            made = None if node.output[0] in outputs else _constant(node)
            if made is not None:
                graph.initializer.append(made)
                graph.node.remove(node)


def _constant(node: Any) -> Optional[Any]:
    """The tensor of a Constant node; None for texts."""
    from onnx import TensorProto, numpy_helper

    said, name = node.attribute[0], node.output[0]
    if said.name == "value":
        tensor = TensorProto()
        tensor.CopyFrom(said.t)
        tensor.name = name
        return tensor
    if said.name == "sparse_value":
        return _filled(said.sparse_tensor, name)
    numbers: dict[str, tuple[Any, type]] = {
        "value_float": (said.f, np.float32), "value_floats": (list(said.floats), np.float32),
        "value_int": (said.i, np.int64), "value_ints": (list(said.ints), np.int64),
    }  # fmt: skip
    if said.name not in numbers:
        return None
    value, dtype = numbers[said.name]
    return numpy_helper.from_array(np.array(value, dtype), name)


def _scales(node: Any) -> tuple[float, float]:
    """alpha and beta of a Gemm."""
    said = {a.name: a.f for a in node.attribute}
    return said.get("alpha", 1.0), said.get("beta", 1.0)


def _unscaled(node: Any, scope: Scope, taken: set[str]) -> None:
    """Move alpha and beta of a Gemm into its weights, or into a product before it.

    ONNX Runtime quantizes the bias with the scale of the inputs alone, and its 8-bit operator
    then multiplies it by alpha.
    """
    import onnx

    alpha, beta = _scales(node)
    weights = [w for w in map(scope.fixed, node.input) if w is not None]
    if (alpha, beta) == (1, 1) or not weights:
        return
    dtype = onnx.numpy_helper.to_array(weights[0]).dtype
    kept = [a for a in node.attribute if a.name not in ("alpha", "beta")]
    del node.attribute[:]
    node.attribute.extend(kept)
    places = [(1 if scope.fixed(node.input[1]) is not None else 0, alpha)]
    if len(node.input) > 2 and node.input[2]:
        places.append((2, beta))
    for place, factor in places:
        if factor != 1:
            node.input[place] = _scaled(node, place, dtype.type(factor), scope, taken)


def _scaled(node: Any, place: int, factor: Any, scope: Scope, taken: set[str]) -> str:
    """The name of what is `factor`, of the input's type, times an input of `node`."""
    from onnx import helper, numpy_helper

    name, graph = node.input[place], scope.graph
    weights = scope.fixed(name)
    scaled = fresh(f"{name}_scaled", taken)
    if weights is not None:
        value = numpy_helper.to_array(weights)
        graph.initializer.append(numpy_helper.from_array(value * factor, scaled))
        return scaled
    by = fresh(f"{name}_factor", taken)
    graph.initializer.append(numpy_helper.from_array(np.array(factor), by))
    where = next(i for i, other in enumerate(graph.node) if other == node)
    graph.node.insert(where, helper.make_node("Mul", [name, by], [scaled]))
    return scaled
