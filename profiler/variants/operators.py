"""Which operators a static recipe quantizes, and which nodes 8 bits can't resolve.

Measured on MiniLM and ViT-base, quantizing one operator type at a time: a mask constant of −3.4e38
makes the scales around it useless (MiniLM: Add or Softmax alone −1 dB), Add and LayerNormalization
alone leave ViT 9 and 12 dB, and 8-bit outputs of products cost MiniLM 8 dB. Products with float
outputs survive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from profiler.variants.scope import LINEAR, all_names, all_nodes, fresh, scopes
from profiler.wire.providers import CPU

FLOAT_OUTPUT = ("Gemm", "MatMul")
"""linear: their results go on as float, as in a dynamic model"""
PEAK_TO_RMS = 64.0
"""A calibrated range above 64 times the root mean square leaves it under 4 of the 255 steps: by
itself below 23 dB. In MiniLM this finds the four products behind GELU that cost most. A channel
that is large in every row raises the mean too and is not found: the outputs' SQNR tells."""
KEPT = "profiler.kept_float"
"""metadata of the file: names of the nodes that were kept float, separated by spaces"""
PER_TENSOR = "profiler.per_tensor"
"""metadata of the file: names of the nodes whose weights have one scale though channels were
asked for, separated by spaces"""
OPERATORS = "profiler.operators"
"""metadata of the file: what `operators` came to, linear or all"""
_RECTIFIERS = ("Clip", "Relu")
_ATTENTION = ("Attention", "LayerNormalization", "MultiHeadAttention")


def wants_linear(model: Any) -> bool:
    """Whether a graph has attention (a product of two computed tensors) or LayerNormalization."""
    fixed = {t.name for t in model.graph.initializer}
    fixed |= {o for n in model.graph.node if n.op_type == "Constant" for o in n.output}
    return any(
        node.op_type in _ATTENTION or (node.op_type == "MatMul" and not fixed & set(node.input))
        for node in model.graph.node
    )


def name_nodes(model: Any) -> set[str]:
    """Give a name to every node that has none, since nodes are excluded by name; the new names."""
    taken = {node.name for node in all_nodes(model.graph)}
    new = set()
    for number, node in enumerate(all_nodes(model.graph)):
        if not node.name:
            node.name = fresh(f"{node.op_type}_{number}", taken)
            new.add(node.name)
    return new


def part_rectified(model: Any) -> bool:
    """Part Relu and Clip from a tensor that is read elsewhere, too, by an Identity; True if any.

    ONNX Runtime calibrates what one node reads alone, a Relu or Clip, by the range behind it. It
    does not count outputs of the model and graphs inside other nodes as readers, for which the
    other values would be lost.
    """
    import onnx

    _, *inside = scopes(model.graph)
    elsewhere = {value.name for value in model.graph.output}
    elsewhere |= {name for inner in inside for node in inner.graph.node for name in node.input}
    elsewhere |= {value.name for inner in inside for value in inner.graph.output}
    taken, changed = all_names(model.graph), False
    for place, node in reversed(list(enumerate(model.graph.node))):
        if node.op_type in _RECTIFIERS and node.input[0] in elsewhere:
            apart = fresh(f"{node.input[0]}_apart", taken)
            copy = onnx.helper.make_node("Identity", [node.input[0]], [apart])
            node.input[0] = apart
            model.graph.node.insert(place, copy)
            changed = True
    return changed


def unresolved(source: Path, queries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the LINEAR nodes of `source` that stay float, in the graph's order.

    Those are look-ups in computed tensors, and nodes with an input whose range over all `queries`
    is above PEAK_TO_RMS times its root mean square, or isn't finite: a scale for the peak would
    round the rest away. Runs the model once per query, on the CPU.
    """
    import onnx
    import onnxruntime

    model = onnx.load(source, load_external_data=False)
    fixed = {t.name for t in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in LINEAR]
    kept = {n.name for n in nodes if n.op_type == "Gather" and n.input[0] not in fixed}
    products = [node for node in nodes if node.op_type != "Gather"]
    seen = dict.fromkeys(x for n in products for x in n.input[:2] if x and x not in fixed)
    if not seen:  # nothing to look at, and an empty list would ask the session for all outputs
        return [node.name for node in nodes if node.name in kept]
    ends = []
    for number, tensor in enumerate(seen):
        names = [f"profiler_{number}_{what}" for what in ("low", "high", "square", "mean")]
        model.graph.node.extend(
            [
                onnx.helper.make_node("ReduceMin", [tensor], [names[0]], keepdims=0),
                onnx.helper.make_node("ReduceMax", [tensor], [names[1]], keepdims=0),
                onnx.helper.make_node("Mul", [tensor, tensor], [names[2]]),
                onnx.helper.make_node("ReduceMean", [names[2]], [names[3]], keepdims=0),
            ]
        )
        ends += [names[0], names[1], names[3]]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in ends)
    # Beside the source, because external weights are found relative to the file.
    looked = source.with_name("ranges.onnx")
    onnx.save(model, looked)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(looked, options, providers=[CPU])
    found = [
        np.array(session.run(ends, dict(query)), dtype=np.float64).reshape(-1, 3)
        for query in queries
    ]
    looked.unlink()
    every = np.stack(found)
    spread = np.maximum(every[:, :, 1].max(0), 0) - np.minimum(every[:, :, 0].min(0), 0)
    rms = np.sqrt(every[:, :, 2].mean(0))
    bad = {
        name
        for name, peak, level in zip(seen, spread, rms, strict=True)
        if not (np.isfinite(level) and np.isfinite(peak) and peak <= PEAK_TO_RMS * level)
    }
    kept |= {node.name for node in products if bad & set(node.input[:2])}
    return [node.name for node in nodes if node.name in kept]


def recorded(model: Any) -> dict[str, str]:
    """What a file says of its own making, for `made_by`; empty where it says nothing."""
    said = {entry.key: entry.value for entry in model.metadata_props}
    names = {OPERATORS: "quantized", KEPT: "kept_float", PER_TENSOR: "per_tensor"}
    return {name: said[key] for key, name in names.items() if said.get(key)}
