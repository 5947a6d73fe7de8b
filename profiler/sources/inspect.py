"""What an ONNX model takes and gives: names, numpy dtypes and shapes, without running it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profiler.errors import ModelError
from profiler.schema.artifact import Tensor

UNKNOWN_RANK = "..."
"""the only dimension of a tensor whose rank the model does not say"""

QUANTIZED = (
    "ConvInteger",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLinear",
    "DequantizeLinear",
    "EmbedLayerNormalization",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "MatMulNBits",
    "QAttention",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)
"""operators that compute in 8 or 4 bits, or convert from and to them"""


def _dtype(elem_type: int) -> str:
    import onnx

    if elem_type == onnx.TensorProto.STRING:
        return "str"
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type).name)
    except KeyError:
        return "unknown"


def tensor(value: Any) -> Tensor:
    """A graph's ValueInfoProto as a Tensor. A dimension without a name gets '<tensor>.<axis>'.

    Exporters write 0 and -1 where a size is open.
    """
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Tensor(name=value.name, dtype=str(kind or "unknown"), shape=(UNKNOWN_RANK,))
    inner = value.type.tensor_type
    if not inner.HasField("shape"):
        return Tensor(name=value.name, dtype=_dtype(inner.elem_type), shape=(UNKNOWN_RANK,))
    shape: list[int | str] = []
    for axis, dim in enumerate(inner.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            shape.append(int(dim.dim_value))
        else:
            shape.append(dim.dim_param or f"{value.name}.{axis}")
    return Tensor(name=value.name, dtype=_dtype(inner.elem_type), shape=tuple(shape))


def tensors(model: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of a ModelProto. Weights listed as inputs (IR < 4) are not inputs."""
    weights = {item.name for item in model.graph.initializer}
    weights |= {item.values.name for item in model.graph.sparse_initializer}
    inputs = tuple(tensor(v) for v in model.graph.input if v.name not in weights)
    return inputs, tuple(tensor(v) for v in model.graph.output)


def computes(model: Any) -> str:
    """Types that a ModelProto's weights are held in, e.g. 'float16' or 'float32-int8'.

    Vectors don't count: they are scales and biases. Branches, loops and functions do.
    """
    floats = ("float32", "float16", "bfloat16", "float64")
    found, scales = set(), set()
    every = list(graphs(model.graph))
    nodes = [node for part in (*every, *model.functions) for node in part.node]
    for node in nodes:
        if node.op_type in QUANTIZED:
            found.add("int4" if node.op_type == "MatMulNBits" else "int8")
            scales.update(node.input)
    weights = [t for graph in every for t in graph.initializer if t.name not in scales]
    constants = (n for n in nodes if n.op_type == "Constant")
    weights += [a.t for n in constants for a in n.attribute if a.name == "value"]
    found.update(_dtype(t.data_type) for t in weights if len(t.dims) > 1)
    return "-".join(sorted(found & {*floats, "int4", "int8"})) or "float32"


def open_sizes(model: Any) -> bool:
    """Open what has a fixed size of 0 or less, as a runtime takes it; whether there was any."""
    found = False
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value <= 0:
                dim.dim_param = f"{value.name}.{axis}"
                found = True
    return found


def opset(model: Any) -> int:
    """Version of the standard operator set; 0 when the model does not import it."""
    found = (item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    return int(next(found, 0))


def external_tensors(model: Any) -> list[Any]:
    """Weights, constants and subgraphs' weights that lie in another file."""
    import onnx
    from onnx.external_data_helper import _get_all_tensors

    return [t for t in _get_all_tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL]


def data_files(path: Path) -> list[Path]:
    """The files of external weights that an ONNX file names; empty when it can't be read."""
    try:
        found = external_tensors(load(path))
    except ModelError:
        return []
    names = {e.value for tensor in found for e in tensor.external_data if e.key == "location"}
    return [path.parent / name for name in sorted(names)]


def load(path: Path) -> Any:
    """Parse an ONNX file, leaving external weights where they are.

    Raises ModelError naming the file when it is missing, not ONNX, cut short, or has no inputs.
    """
    import onnx

    try:
        with path.open("rb") as file:
            head = file.read(1)
        model = onnx.load_model(path, load_external_data=False)
    except FileNotFoundError:
        raise ModelError(
            f"{path}: no such file, expected an ONNX model",
            hint="`onnx = ...` is a path relative to the study file",
        ) from None
    except IsADirectoryError:
        raise ModelError(
            f"{path}: expected an ONNX file, got a folder", hint="name the .onnx file inside it"
        ) from None
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror})") from None
    except Exception:  # protobuf: DecodeError; onnx: others for what only looks like a model
        # Every writer puts field 1, the IR version, first: its tag is the byte 0x08.
        if head == b"\x08":
            raise ModelError(
                f"{path}: expected a whole ONNX model, got one that is cut short or damaged",
                hint="copy or export the file again and compare its size",
            ) from None
        raise _not_onnx(path) from None
    if not _of_text(model):
        raise ModelError(
            f"{path}: a damaged model: a name in it is no text (not UTF-8)",
            hint="copy or export the file again and compare its size",
        )
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise _not_onnx(path)
    if not tensors(model)[0]:
        raise ModelError(
            f"{path}: expected a model with at least one input, got none",
            hint="a graph of constants can't be measured; export the model with its inputs",
        )
    return model


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and those inside its nodes."""
    waiting = [graph]
    while waiting:
        one = waiting.pop()
        yield one
        for node in one.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
                waiting.extend(attribute.graphs)


def _of_text(model: Any) -> bool:
    """Whether the names in a model are text: protobuf gives bytes for what is not UTF-8."""
    return all(isinstance(text, str) for text in _texts(model))


def _texts(model: Any) -> Iterator[Any]:
    yield from (model.producer_name, model.producer_version, model.domain)
    for item in model.opset_import:
        yield item.domain
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for function in model.functions:
        yield from (function.name, function.domain)
    for graph in graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            yield value.name
            for dim in value.type.tensor_type.shape.dim:
                yield dim.dim_param
        weights = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
        for node in graph.node:
            yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
            for attribute in node.attribute:
                yield attribute.name
                weights += [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
        for tensor in weights:
            yield tensor.name
            for entry in tensor.external_data:
                yield from (entry.key, entry.value)


def _not_onnx(path: Path) -> ModelError:
    return ModelError(
        f"{path}: expected an ONNX model, got something else",
        hint='export one with torch.onnx.export, or use torch = "module:callable" in the study',
    )
