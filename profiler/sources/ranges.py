"""Which whole numbers a model's inputs may hold: what they index or count, traced in its graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiler.schema.artifact import Values
from profiler.sources.inspect import graphs

_PASS = {
    "Cast", "CastLike", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze", "Gather", "GatherElements", "GatherND", "Clip",
    "ReduceMax", "ReduceMin", "Compress", "Trilu",
}  # fmt: skip
"""operators that hand on the values of their first input"""
_SAME_SHAPE = {"Cast", "DequantizeLinear", "Identity", "QuantizeLinear"}
_INDEX = {"Gather": 1, "GatherElements": 1, "ScatterElements": 1, "Scatter": 1}
_FEWEST = {"GatherND": 1, "ScatterND": 1}
_RECURRENT = {"LSTM", "GRU", "RNN"}
_SIZES = {
    ("TopK", 1), ("Expand", 1), ("ConstantOfShape", 0), ("Tile", 1), ("Reshape", 1), ("Range", 0),
    ("Range", 2), ("Loop", 0), ("OneHot", 1), ("Slice", 4), ("Resize", 2), ("Resize", 3),
    ("Upsample", 1),
}  # fmt: skip
"""(operator, input) that says how many, or how many times: a one is taken by most of them"""
_DEPTH = 200
_BOOL = 9
"""TensorProto.BOOL, the type a Cast of a mask names"""


def ranges(model: Any) -> dict[str, Values]:
    """Input -> the whole numbers it takes, for inputs of which the graph says so."""
    trace = _Trace(model)
    weights = {item.name for item in model.graph.initializer}
    found = {}
    for value in model.graph.input:
        if value.name in weights:
            continue
        limits = list(trace.limits(value.name, set()))
        if limits:
            found[value.name] = _narrowest(limits)
    return found


def _narrowest(limits: list[Values]) -> Values:
    counting = [limit for limit in limits if limit.counts]
    if counting:
        return counting[0]
    sized = [limit for limit in limits if limit.high is not None]
    return min(sized, key=lambda limit: limit.high or 0) if sized else limits[0]


class _Trace:
    def __init__(self, model: Any) -> None:
        self.used: dict[str, list[tuple[Any, int]]] = {}
        self.maker: dict[str, Any] = {}
        self.dims: dict[str, tuple[int | tuple[str, int], ...]] = {}
        self.constants: dict[str, Any] = {}
        for value in model.graph.input:
            shape = value.type.tensor_type.shape.dim
            self.dims[value.name] = tuple(
                d.dim_value if d.dim_value > 0 else (value.name, axis)
                for axis, d in enumerate(shape)
            )
        for graph in graphs(model.graph):
            for weight in graph.initializer:
                self._constant(weight.name, weight)
            for node in graph.node:
                for index, name in enumerate(node.input):
                    self.used.setdefault(name, []).append((node, index))
                for name in node.output:
                    self.maker[name] = node
                if node.op_type == "Constant":
                    for attribute in node.attribute:
                        if attribute.name == "value":
                            self._constant(node.output[0], attribute.t)

    def _constant(self, name: str, tensor: Any) -> None:
        self.dims[name] = tuple(tensor.dims)
        self.constants[name] = tensor

    def shape(self, name: str) -> tuple[int | tuple[str, int], ...]:
        """Dimensions of a weight or input, also through what keeps them; empty if unknown."""
        for _ in range(_DEPTH):
            if name in self.dims:
                return self.dims[name]
            node = self.maker.get(name)
            if node is None or node.op_type not in _SAME_SHAPE or not node.input:
                return ()
            name = node.input[0]
        return ()

    def number(self, name: str) -> int | None:
        """A constant of one whole number."""
        import onnx

        tensor = self.constants.get(name)
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        try:
            value = onnx.numpy_helper.to_array(tensor)
            return int(value.reshape(())) if value.size == 1 else None
        except Exception:  # damaged weights: the checker tells, not we
            return None

    def limits(self, name: str, seen: set[str]) -> Iterator[Values]:
        """What every use of a value asks of it."""
        if name in seen or len(seen) > _DEPTH:
            return
        seen.add(name)
        for node, index in self.used.get(name, ()):
            here = self._here(node, index)
            if here is not None:
                yield here
                continue
            shift = self._shift(node, name)
            for out in node.output if self._hands_on(node, index) or shift is not None else ():
                for limit in self.limits(out, seen):
                    yield _moved(limit, shift or 0)

    def _hands_on(self, node: Any, index: int) -> bool:
        if node.op_type == "Concat":
            return True
        if node.op_type == "Where":
            return index > 0
        return index == 0 and node.op_type in _PASS

    def _shift(self, node: Any, name: str) -> int | None:
        """What a constant adds to the values, as positions that begin at 2."""
        if node.op_type not in ("Add", "Sub") or len(node.input) != 2:
            return None
        if node.op_type == "Sub" and node.input[0] != name:
            return None
        other = node.input[1] if node.input[0] == name else node.input[0]
        number = self.number(other)
        return None if number is None else number if node.op_type == "Add" else -number

    def _here(self, node: Any, index: int) -> Values | None:
        op, attributes = node.op_type, {a.name: a for a in node.attribute}

        def whole(name: str, default: int) -> int:
            return int(attributes[name].i) if name in attributes else default

        if op == "Cast":
            return Values(high=1) if whole("to", 0) == _BOOL else None
        if _INDEX.get(op) == index:
            return self._below(node.input[0], whole("axis", 0))
        if _FEWEST.get(op) == index:
            sizes = [size for size in self.shape(node.input[0]) if isinstance(size, int)]
            return Values(high=min(sizes) - 1) if sizes else None
        if op == "OneHot" and index == 0:
            depth = self.number(node.input[1])
            return None if depth is None or depth < 1 else Values(high=depth - 1)
        if op == "EmbedLayerNormalization" and index < 2 and len(node.input) > 4:
            return self._below(node.input[2 if index == 0 else 4], 0)
        if op in _RECURRENT and index == 4:
            return self._length(node.input[0], whole("layout", 0))
        if op == "ReverseSequence" and index == 1:
            return self._length(node.input[0], whole("time_axis", 0))
        return Values(low=1, high=1) if (op, index) in _SIZES else None

    def _below(self, table: str, axis: int) -> Values | None:
        shape = self.shape(table)
        if not -len(shape) <= axis < len(shape):
            return None
        size = shape[axis]
        if isinstance(size, tuple):
            return Values(input=size[0], axis=size[1])
        return Values(high=max(0, size - 1))

    def _length(self, values: str, axis: int) -> Values | None:
        shape = self.shape(values)
        if not 0 <= axis < len(shape):
            return Values(low=1, high=1, counts=True)
        size = shape[axis]
        if isinstance(size, tuple):
            return Values(low=1, input=size[0], axis=size[1], counts=True)
        return Values(low=size, high=size, counts=True)


def _moved(limit: Values, shift: int) -> Values:
    if not shift or limit.high is None:
        return limit
    return Values(low=max(0, limit.low - shift), high=max(0, limit.high - shift))
