"""A model's graph and the graphs inside it, each with what it sees of those around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np

Array = np.ndarray[Any, Any]
LINEAR = ("Conv", "ConvTranspose", "Gather", "Gemm", "MatMul")
"""what `linear` quantizes; of Gather only tables of weights (embeddings)"""
_ZERO_POINT = 2


class Scope:
    """What the tensors of a graph are; those of the graphs around it are seen, too."""

    def __init__(self, graph: Any, folder: Path = Path(), outer: Optional[Scope] = None) -> None:
        """`folder` holds the model's external weights."""
        self.graph, self.outer, self._folder = graph, outer, folder
        self._fixed = {tensor.name: tensor for tensor in graph.initializer}
        self._made_by = {name: node for node in graph.node for name in node.output if name}
        self._types = {
            value.name: value.type.tensor_type.elem_type
            for value in (*graph.input, *graph.value_info)
        }
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                self._fixed[node.output[0]] = node.attribute[0].t

    def maker(self, name: str) -> Optional[Any]:
        """The node that computes `name`."""
        own = self._made_by.get(name)
        return own if own is not None or self.outer is None else self.outer.maker(name)

    def fixed(self, name: str) -> Optional[Any]:
        """The weights called `name`."""
        own = self._fixed.get(name)
        return own if own is not None or self.outer is None else self.outer.fixed(name)

    def kind(self, name: str) -> Optional[int]:
        """TensorProto's number of an 8-bit tensor's type; None where the graph doesn't tell."""
        import onnx

        weights = self.fixed(name)
        if weights is not None:
            return int(weights.data_type)
        maker = self.maker(name)
        if maker is not None and maker.op_type == "DynamicQuantizeLinear":
            return int(onnx.TensorProto.UINT8)
        if maker is not None and maker.op_type == "QuantizeLinear":
            zero = maker.input[_ZERO_POINT] if len(maker.input) > _ZERO_POINT else ""
            return self.kind(zero) if zero else int(onnx.TensorProto.UINT8)
        own = self._types.get(name)
        return own if own or self.outer is None else self.outer.kind(name)

    def values(self, name: str) -> Optional[Array]:
        """The numbers of fixed weights; None where they are computed."""
        import onnx

        weights = self.fixed(name)
        if weights is None:
            return None
        values: Array = onnx.numpy_helper.to_array(weights, base_dir=str(self._folder))
        return values


def inner(node: Any) -> Iterator[Any]:
    """The graphs inside a node: branches, bodies."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def scopes(graph: Any, folder: Path = Path(), outer: Optional[Scope] = None) -> Iterator[Scope]:
    """The scope of `graph`, then those of all graphs inside it."""
    scope = Scope(graph, folder, outer)
    yield scope
    for node in graph.node:
        for graph_inside in inner(node):
            yield from scopes(graph_inside, folder, scope)


def all_nodes(graph: Any) -> Iterator[Any]:
    """The nodes of `graph`, then those of all graphs inside it."""
    yield from graph.node
    for node in graph.node:
        for graph_inside in inner(node):
            yield from all_nodes(graph_inside)


def all_names(graph: Any) -> set[str]:
    """Names of every tensor of `graph` and of the graphs inside it."""
    names: set[str] = set()
    for scope in scopes(graph):
        each = scope.graph
        names.update(value.name for value in (*each.input, *each.output, *each.initializer))
        names.update(name for node in each.node for name in (*node.input, *node.output))
    return names


def fresh(name: str, taken: set[str]) -> str:
    """A name that isn't taken, and takes it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
