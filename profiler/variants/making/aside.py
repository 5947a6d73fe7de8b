"""Outputs that no node computes: an input or a weight of the model given out as it is.

Quantizers rename what inputs and weights are called inside, and lose such an output.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.variants.graph import write
from profiler.variants.scope import all_names, fresh, scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """What was taken out of a model, for putting back into its variants."""

    outputs: tuple[tuple[int, Any], ...] = ()
    """(place among all outputs, ValueInfoProto)"""
    weights: tuple[Any, ...] = ()
    """TensorProto of the outputs that are weights"""


def uncomputed(graph: Any) -> list[int]:
    """Places of the outputs that no node computes; none where there is no other one."""
    made = {name for node in graph.node for name in node.output}
    places = [n for n, value in enumerate(graph.output) if value.name not in made]
    return places if len(places) < len(graph.output) else []


def set_aside(model: Any) -> Aside:
    """Take such outputs away. A weight goes on inside under another name."""
    graph = model.graph
    taken = all_names(graph)
    places = uncomputed(graph)
    outputs = tuple((n, _copy(graph.output[n])) for n in places)
    names = {value.name for _, value in outputs}
    for place in reversed(places):
        del graph.output[place]
    kept = []
    for tensor in graph.initializer:
        if tensor.name in names:
            kept.append(_copy(tensor))
            new = fresh(f"{tensor.name}_inside", taken)
            for scope in scopes(graph):
                for node in scope.graph.node:
                    for place, name in enumerate(node.input):
                        if name == tensor.name:
                            node.input[place] = new
            tensor.name = new
    return Aside(outputs=outputs, weights=tuple(kept))


def put_back(path: Path, aside: Aside) -> None:
    """Give the variant at `path` the outputs that were set aside, each in its place."""
    import onnx

    if not aside.outputs:
        return
    model = onnx.load(path)
    outputs = list(model.graph.output)
    for place, value in aside.outputs:
        outputs.insert(place, value)
    kept = [_copy(value) for value in outputs]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    model.graph.initializer.extend(aside.weights)
    write(model, path)


def _copy(message: Any) -> Any:
    same = type(message)()
    same.CopyFrom(message)
    return same
