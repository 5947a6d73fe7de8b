"""What every quantization recipe needs: a prepared graph, and a look at what came out."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from profiler.errors import VariantError
from profiler.sources import openable
from profiler.sources.inspect import QUANTIZED, data_files, opset
from profiler.sources.quiet import cause
from profiler.variants.already import HALVES
from profiler.variants.scope import LINEAR, all_nodes, scopes
from profiler.wire.codec import nearest
from profiler.wire.providers import CPU

_NO_KERNEL = re.compile(r"Could not find an implementation for (\w+)\(\d+\) node with name '(.*?)'")
_NO_TYPE = re.compile(
    r"Type '(?:tensor\()?(\w+)\)?' of input parameter \(.*?\) of operator \((\w+)\)"
    r" in node \((.*?)\)"
)
LOWEST_OPSET = 13
"""below it DequantizeLinear has no axis, and per-channel silently becomes per-tensor"""
INLINE_BYTES = 1_900_000_000
"""protobuf holds less than 2 GiB in one message"""
EXTERNAL_FROM_BYTES = 1024
"""smaller weights (shapes, scalars) stay inside, where shape inference reads them"""
RAISED_OPSET = 17
"""what an older model is converted to: LayerNormalization is one node from here on"""


def raised(source: Path, scratch: Path, least: int) -> Path:
    """The model at opset `least` or newer; converted when it is older. Raises VariantError."""
    import onnx

    try:
        model = onnx.load(source)
        if opset(model) >= least:
            return source
        target = scratch / "raised.onnx"
        onnx.save(onnx.version_converter.convert_version(model, max(least, RAISED_OPSET)), target)
    except Exception as error:  # the converter raises RuntimeError and others
        raise VariantError(
            f"the model's opset is below {least} and can't be raised: {cause(error)}",
            hint=f"export the model again with opset {max(least, RAISED_OPSET)} or newer",
        ) from None
    return target


def float_nodes(model: Any, patterns: tuple[str, ...]) -> list[str]:
    """Names of the nodes that `keep_float` means. Raises VariantError for one that means none."""
    names = [node.name for node in all_nodes(model.graph) if node.name]
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = fnmatch.filter(names, pattern)
        if not matches:
            raise VariantError(
                f'keep_float: the model has no node called "{pattern}"',
                hint=nearest(pattern, names)
                or f"it has, e.g., {', '.join(names[:5]) or 'no names'}",
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def prepared(
    source: Path, scratch: Path, keep_float: tuple[str, ...] = ()
) -> tuple[Path, list[str]]:
    """Fold, fuse and infer shapes, so that the quantizer finds its patterns.

    Symbolic shape inference is best for transformers but knows fewer operators than ONNX and
    needs sympy; without it the quantizer still works. Also returns the names of the nodes that
    stay float; where fusing would swallow one of them, nothing is fused. Raises VariantError.
    """
    import onnx

    target = scratch.resolve() / "prepared.onnx"
    source = raised(source, scratch, LOWEST_OPSET).resolve()
    if keep_float:
        float_nodes(onnx.load(source, load_external_data=False), keep_float)
    reason = None
    for symbolic, fuse in ((True, True), (False, True), (False, False)):
        target.unlink(missing_ok=True)
        reason = openable.preprocessed(
            source, target, symbolic=symbolic, fuse=fuse, external=large(source)
        )
        if reason is None and not keep_float:
            return target, []
        if reason is None:
            try:
                made = onnx.load(target, load_external_data=False)
                return target, float_nodes(made, keep_float)
            except VariantError as error:
                reason = error.message
    raise VariantError(f"the model can't be prepared for quantization: {reason}")


def counted(model: Any) -> int:
    """Number of nodes that compute or convert in eight bits, also inside branches."""
    return sum(node.op_type in QUANTIZED for node in all_nodes(model.graph))


def finished(
    path: Path,
    recipe: str,
    changed: Callable[[Any], int] = counted,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Check that something was changed and that the runtime takes the result; fix its bytes.

    `notes` become the file's metadata, which a cached file keeps. Raises VariantError with the
    reason.
    """
    import onnx

    model = onnx.load(path)
    if changed(model) == 0:
        _, *inside = scopes(model.graph)
        verb = "convert" if recipe.partition(":")[0] in HALVES else "quantize"
        why = f"the model has no operator that this recipe {verb}s"
        if any(node.op_type in LINEAR for branch in inside for node in branch.graph.node):
            why = "the model's products are inside branches or loops, which this recipe leaves"
        raise VariantError(
            f"{recipe}: nothing to {verb}: {why}",
            hint=f'leave "{recipe}" out of this model\'s variants',
        )
    _strip(model)
    onnx.helper.set_model_props(model, dict(notes or {}))
    write(model, path)
    runs(path, recipe)
    return path


def write(model: Any, path: Path) -> None:
    """Write a model with repeatable bytes; what protobuf can't hold goes into a second file."""
    import onnx

    if model.ByteSize() < INLINE_BYTES:
        path.write_bytes(model.SerializeToString(deterministic=True))
        return
    weights = path.with_suffix(".data")
    weights.unlink(missing_ok=True)
    onnx.save_model(
        model,
        path,
        save_as_external_data=True,
        location=weights.name,
        size_threshold=EXTERNAL_FROM_BYTES,
    )


def large(source: Path) -> bool:
    """Whether a model's files together are more than protobuf can hold."""
    files = (source, *data_files(source))
    return sum(file.stat().st_size for file in files if file.is_file()) > INLINE_BYTES


def runs(path: Path, recipe: str) -> None:
    """Raises VariantError with ONNX Runtime's reason when its CPU provider refuses the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(path, options, providers=[CPU])
    except Exception as error:
        why, hint = _plain(error, recipe)
        raise VariantError(
            f"{recipe}: ONNX Runtime does not take the {recipe} model: {why}", hint=hint
        ) from None


def _plain(error: Exception, recipe: str) -> tuple[str, str | None]:
    """(what ONNX Runtime says against a variant, what to try), in plain words where known."""
    text = str(error)
    kernel, kind = _NO_KERNEL.search(text), _NO_TYPE.search(text)
    if kernel is None and kind is None:
        return openable.plain(cause(error)), None
    if kernel is not None:
        operator, node = kernel.groups()
        why = f"its CPU provider has no {operator} for such numbers"
    else:
        assert kind is not None
        number, operator, node = kind.groups()
        why = f"the operator {operator} takes no {number}"
    ways = ["try fp16"] if recipe == "bf16" else []
    if operator in QUANTIZED:
        ways = ["the model is quantized already: make it of the float32 model"]
    if node:
        ways.append(f'keep the node float: keep_float = ["{node}"]')
    return why, ", or ".join(ways) or f'leave "{recipe}" out of this model\'s variants'


def _strip(model: Any) -> None:
    """Shape notes and text that no runtime needs, and that may differ between equal runs."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.ClearField("doc_string")
    model.graph.ClearField("doc_string")
