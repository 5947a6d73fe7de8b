"""Small models with a planted cause of slowness, each with its ablation, and healthy ones.

Used by scripts/bench_explain and scripts/record_traces. Everything is seeded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Node = onnx.NodeProto
FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A model and how it is run."""

    model: onnx.ModelProto
    threads: int = 1
    optimization: str = "all"
    samples: int = 1
    """in a query, where planted and removed differ in it"""


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """`cause` is what explain must put first; None for a healthy one."""

    name: str
    cause: str | None
    planted: Callable[[], Setup]
    removed: Callable[[], Setup] | None = None
    baseline: Callable[[], Setup] | None = field(default=None)


class Builder:
    """Collects nodes and weights of a graph."""

    def __init__(self, seed: int = 0, dtype: Any = np.float32) -> None:
        self.rng, self.dtype = np.random.default_rng(seed), dtype
        self.nodes: list[Node] = []
        self.weights: list[Any] = []
        self.count = 0

    def weight(self, *shape: int) -> str:
        scale = 1 / np.sqrt(max(1, int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]))
        return self.constant((self.rng.standard_normal(shape) * scale).astype(self.dtype))

    def constant(self, values: Any) -> str:
        self.count += 1
        name = f"c{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        self.count += 1
        names = [f"v{self.count}_{i}" for i in range(outputs)]
        name = f"{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, shape: tuple[int, ...], output: str, rank: int) -> onnx.ModelProto:
        kind = DOUBLE if self.dtype == np.float64 else FLOAT
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info(output, kind, [None] * rank)], self.weights,
        )  # fmt: skip
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(made, full_check=True)
        return made


def convnet(channels: int = 32, size: int = 28, depth: int = 4, norm: bool = False) -> Any:
    b = Builder()
    x, last = "x", 3
    for _ in range(depth):
        weights = (b.weight(channels, last, 3, 3), b.weight(channels))
        x = b.add("Conv", x, *weights, pads=[1, 1, 1, 1])
        if norm:
            stats = [b.constant(np.ones(channels, np.float32)) for _ in range(4)]
            x = b.add("BatchNormalization", x, *stats)
        x, last = b.add("Relu", x), channels
    return b.model((1, 3, size, size), x, 4)


def mlp(width: int = 768, depth: int = 4, rows: int = 16, dtype: Any = np.float32) -> Any:
    b = Builder(dtype=dtype)
    x = "x"
    for _ in range(depth):
        x = b.add("Relu", b.add("MatMul", x, b.weight(width, width)))
    return b.model((rows, width), x, 2)


def attention(sequence: int = 128, width: int = 256, heads: int = 4, blocks: int = 2) -> Any:
    b = Builder()
    x, per = "x", width // heads
    split = b.constant(np.array([1, sequence, heads, per]))
    joined = b.constant(np.array([1, sequence, width]))
    scale = b.constant(np.float32(per**-0.5))
    for _ in range(blocks):
        q, k, v = (
            b.add("Reshape", b.add("MatMul", x, b.weight(width, width)), split) for _ in range(3)
        )
        q = b.add("Mul", b.add("Transpose", q, perm=[0, 2, 1, 3]), scale)
        scores = b.add("MatMul", q, b.add("Transpose", k, perm=[0, 2, 3, 1]))
        mixed = b.add("MatMul", b.add("Softmax", scores, axis=-1),
                      b.add("Transpose", v, perm=[0, 2, 1, 3]))  # fmt: skip
        mixed = b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        x = b.add("Add", x, b.add("MatMul", mixed, b.weight(width, width)))
        hidden = b.add("Relu", b.add("MatMul", x, b.weight(width, 4 * width)))
        x = b.add("Add", x, b.add("MatMul", hidden, b.weight(4 * width, width)))
    return b.model((1, sequence, width), x, 3)


def lstm(steps: int = 32, width: int = 256) -> Any:
    b = Builder()
    weights = (b.weight(1, 4 * width, width), b.weight(1, 4 * width, width))
    y = b.add("LSTM", "x", *weights, outputs=3, hidden_size=width)[0]
    return b.model((steps, 1, width), y, 4)


def products_of_activations() -> Any:
    """Two large products of activations, one small layer with weights."""
    b = Builder()
    x = b.add("MatMul", "x", b.weight(384, 384))
    scores = b.add("MatMul", x, b.add("Transpose", x, perm=[1, 0]))
    return b.model((512, 384), b.add("MatMul", b.add("Relu", scores), x), 2)


def elementwise_between(op: str | None) -> Any:
    """Pooling with or without an 8-bit kernel between small convolutions."""
    b = Builder()
    x, last = "x", 3
    for _ in range(3):
        x = b.add("Relu", b.add("Conv", x, b.weight(16, last, 1, 1), b.weight(16)))
        last = 16
        if op is not None:
            for _ in range(3):
                x = b.add(op, x)
    return b.model((1, 3, 96, 96), x, 4)


def transposed(layout: bool) -> Any:
    """Pointwise work in one layout, or with a change of layout around each step."""
    b = Builder()
    x, wide, square = "x", b.constant(np.array([256, 1024])), b.constant(np.array([512, 512]))
    for _ in range(4):
        for shape in (wide, square):
            if layout:
                x = b.add("Transpose", x, perm=[1, 0])
            x = b.add("Relu", b.add("Reshape", x, shape))
    return b.model((512, 512), x, 2)


def copied(copies: bool) -> Any:
    """A growing state that is concatenated and cut again at every step."""
    b = Builder()
    x, weight = "x", b.weight(256, 256)
    axes = b.constant(np.array([0]))
    for step in range(6):
        if copies:
            x = b.add("Concat", x, "x", "x", axis=0)
            low, high = b.constant(np.array([step + 1])), b.constant(np.array([step + 1 + 256]))
            x = b.add("Slice", x, low, high, axes)
        if step == 0:
            x = b.add("MatMul", x, weight)
        x = b.add("Relu", x)
    return b.model((256, 256), x, 2)


def many_small(rows: int = 1, nodes: int = 200) -> Any:
    b = Builder()
    x = "x"
    for i in range(nodes):
        x = b.add(("Sigmoid", "Neg", "Tanh", "Abs")[i % 4], x)
    return b.model((rows, 8), x, 2)


def looped(steps: int = 300, unrolled: bool = False) -> Any:
    """A running sum step by step in a Loop, or all at once."""
    b = Builder()
    if unrolled:
        y = b.add("CumSum", "x", b.constant(np.array(0, np.int64)))
        return b.model((steps, 64), b.add("Tanh", y), 2)
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "i"], ["row"], name="row", axis=0),
            helper.make_node("Add", ["state", "row"], ["next"], name="step"),
            helper.make_node("Identity", ["go"], ["on"], name="on"),
            helper.make_node("Tanh", ["next"], ["seen"], name="seen"),
        ],
        "body",
        [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []),
         info("state", FLOAT, [64])],
        [info("on", TensorProto.BOOL, []), info("next", FLOAT, [64]), info("seen", FLOAT, [64])],
    )  # fmt: skip
    trips, go = b.constant(np.array(steps, np.int64)), b.constant(np.array(True))
    start = b.constant(np.zeros(64, np.float32))
    _, y = b.add("Loop", trips, go, start, outputs=2, body=body)
    return b.model((steps, 64), y, 2)


def serial() -> Any:
    """Work that ONNX Runtime does on one thread, however many it has."""
    b = Builder()
    x = "x"
    for _ in range(4):
        x = b.add("CumSum", x, b.constant(np.array(0, np.int64)))
    return b.model((512, 512), x, 2)


def half(model: Any) -> Any:
    """float16 throughout, as a converter for accelerators makes it; inputs and outputs, too."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for weight in made.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32:
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), weight.name))
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return made


def pointwise() -> Any:
    """Cheap kernels on large activations: what a precision costs at the borders shows."""
    b = Builder()
    x = "x"
    for _ in range(3):
        x = b.add("Relu", b.add("MatMul", x, b.weight(16, 16)))
    return b.model((8192, 16), x, 2)


def dynamic(model: Any, weights: str = "int8", ops: tuple[str, ...] = ("Conv", "MatMul")) -> Any:
    """Dynamically quantized by ONNX Runtime's own tool."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kind = QuantType.QInt8 if weights == "int8" else QuantType.QUInt8
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        onnx.save(model, source)
        quantize_dynamic(source, target, weight_type=kind, op_types_to_quantize=list(ops))
        return onnx.load(target)


def static(model: Any, ops: tuple[str, ...] | None = None) -> Any:
    """Statically quantized (QDQ, u8 activations, s8 weights) by ONNX Runtime's own tool."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    rng = np.random.default_rng(3)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        left = 4

        def get_next(self) -> dict[str, Any] | None:
            if self.left == 0:
                return None
            self.left -= 1
            return {"x": rng.standard_normal(shape).astype(np.float32)}

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        onnx.save(model, source)
        quantize_static(
            source, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=list(ops) if ops else None,
        )  # fmt: skip
        return onnx.load(target)


def forced_pairs(model: Any) -> Any:
    """A QDQ pair on every activation, whatever kernel comes next, as some exporters write it."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    graph.initializer.extend(
        [numpy_helper.from_array(np.float32(0.05), "qs"),
         numpy_helper.from_array(np.uint8(128), "qz")]
    )  # fmt: skip
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        real = list(node.input)
        if real[0] != "x":
            quantized, back = f"{real[0]}_q", f"{real[0]}_dq"
            graph.node.append(helper.make_node("QuantizeLinear", [real[0], "qs", "qz"], [quantized],
                                               name=quantized))  # fmt: skip
            graph.node.append(helper.make_node("DequantizeLinear", [quantized, "qs", "qz"], [back],
                                               name=back))  # fmt: skip
            node.input[0] = back
        graph.node.append(node)
    return made


def shared_input() -> Any:
    """Thin layers on wide activations: ranges cost as much as products."""
    b = Builder()
    tails = []
    for _ in range(2):
        tails.append(b.add("MatMul", "x", b.weight(1024, 8)))
    return b.model((128, 1024), b.add("Add", *tails), 2)


def _of(make: Callable[[], Any], **setup: Any) -> Callable[[], Setup]:
    return lambda: Setup(model=make(), **setup)


SPECIMENS = (
    Specimen(name="dynamic convnet", cause="conv_integer",
             planted=_of(lambda: dynamic(convnet())), removed=_of(lambda: static(convnet())),
             baseline=_of(convnet)),
    Specimen(name="QDQ without int8 kernels", cause="unfused_qdq",
             planted=_of(lambda: forced_pairs(elementwise_between("Abs"))),
             removed=_of(lambda: elementwise_between("Abs"))),
    Specimen(name="QDQ around Neg", cause="unfused_qdq",
             planted=_of(lambda: forced_pairs(elementwise_between("Neg"))),
             removed=_of(lambda: elementwise_between("Neg"))),
    Specimen(name="fp16 on a CPU", cause="casts",
             planted=_of(lambda: half(pointwise())), removed=_of(pointwise)),
    Specimen(name="thin dynamic layers", cause="dynamic_quantize",
             planted=_of(lambda: dynamic(shared_input())),
             removed=_of(lambda: static(shared_input()))),
    Specimen(name="u8 dynamic weights", cause="u8_weights",
             planted=_of(lambda: dynamic(mlp(rows=64), "uint8")),
             removed=_of(lambda: dynamic(mlp(rows=64), "int8")),
             baseline=_of(lambda: mlp(rows=64))),
    Specimen(name="activations not quantized", cause="not_quantized",
             planted=_of(lambda: dynamic(products_of_activations())),
             removed=_of(lambda: static(products_of_activations()))),
    Specimen(name="optimization off, BN", cause="optimization_off",
             planted=_of(lambda: convnet(16, 56, norm=True), optimization="none"),
             removed=_of(lambda: convnet(16, 56, norm=True))),
    Specimen(name="optimization off, QDQ", cause="optimization_off",
             planted=_of(lambda: static(convnet()), optimization="none"),
             removed=_of(lambda: static(convnet()))),
    Specimen(name="tiny MLP", cause="overhead",
             planted=_of(lambda: mlp(16, 2, 1)),
             removed=_of(lambda: mlp(16, 2, 8192), samples=8192)),
    Specimen(name="200 small nodes", cause="overhead",
             planted=_of(many_small),
             removed=_of(lambda: many_small(8192), samples=8192)),
    Specimen(name="Loop over rows", cause="control_flow",
             planted=_of(looped), removed=_of(lambda: looped(unrolled=True))),
    Specimen(name="layout back and forth", cause="layout",
             planted=_of(lambda: transposed(True)), removed=_of(lambda: transposed(False))),
    Specimen(name="Concat and Slice", cause="copies",
             planted=_of(lambda: copied(True)), removed=_of(lambda: copied(False))),
    Specimen(name="float64 MLP", cause="float64",
             planted=_of(lambda: mlp(dtype=np.float64)), removed=_of(mlp)),
    Specimen(name="serial work, 2 threads", cause="threads",
             planted=_of(serial, threads=2), removed=_of(serial, threads=1)),
    Specimen(name="convnet fp32", cause=None, planted=_of(lambda: convnet(64))),
    Specimen(name="MLP fp32", cause=None, planted=_of(mlp)),
    Specimen(name="attention fp32", cause=None, planted=_of(attention)),
    Specimen(name="LSTM fp32", cause=None, planted=_of(lstm)),
    Specimen(name="convnet int8-static", cause=None,
             planted=_of(lambda: static(convnet(64))), baseline=_of(lambda: convnet(64))),
    Specimen(name="MLP int8-dynamic", cause=None,
             planted=_of(lambda: dynamic(mlp())), baseline=_of(mlp)),
    Specimen(name="attention int8-dynamic", cause=None,
             planted=_of(lambda: dynamic(attention())), baseline=_of(attention)),
)  # fmt: skip
