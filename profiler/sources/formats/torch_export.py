"""A module's forward pass, and its export to ONNX with a symbolic batch and repeatable bytes."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.sources.inspect import tensors
from profiler.sources.quiet import cause, quiet

OPSET = 18
"""what torch's exporter writes without conversion; per-channel needs 13, LayerNormalization 17"""


_ANY_BATCH = (
    "forward must work for any number of rows, without branches on values; "
    'or export it yourself and use onnx = "file.onnx"'
)


def parameters(module: Any) -> tuple[list[str], list[str], bool]:
    """Names of forward's positional parameters, those without a default, and whether *args."""
    found = inspect.signature(module.forward).parameters.values()
    named = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in named if p.default is p.empty]
    return [p.name for p in named], needed, any(p.kind == p.VAR_POSITIONAL for p in found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forward:
    """A module with the inputs to run it on: tensors by ONNX input name."""

    where: str
    """the study key that names the source, for messages"""
    module: Any
    inputs: dict[str, Any]

    def by_name(self) -> bool:
        """Whether inputs go by keyword: optional parameters between them may be left out."""
        return set(self.inputs) <= set(parameters(self.module)[0])

    def run(self, torch: Any) -> Any:
        """What forward returns, without gradients."""
        with torch.inference_mode():
            if self.by_name():
                return self.module(**self.inputs)
            return self.module(*self.inputs.values())

    def arrays(self, torch: Any) -> list[np.ndarray[Any, Any]]:
        """The tensors that forward returns, in the order of the export's outputs."""
        leaves = torch.utils._pytree.tree_leaves(self.run(torch))
        return [leaf.numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]


def at(error: BaseException) -> str:
    """The cause with the line of the user's code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = (f for f in reversed(frames) if "/torch/" not in f.filename and "<" not in f.filename)
    last = next(own, None)
    return cause(error) + (f" ({Path(last.filename).name}, line {last.lineno})" if last else "")


def _names(value: Any, taken: Mapping[str, Any], torch: Any) -> list[str]:
    """Names of a result's tensors: a mapping's keys, else 'output' or 'output_0', 'output_1'.

    A key that is the name of an input too gets '_output' added: ONNX knows one set of names.
    """
    leaves = torch.utils._pytree.tree_leaves(value)
    if isinstance(value, Mapping) and len(leaves) == len(value):
        return [f"{key}_output" if key in taken else str(key) for key in value]
    return ["output"] if len(leaves) == 1 else [f"output_{i}" for i in range(len(leaves))]


def export(forward: Forward, path: Path, torch: Any) -> Any:
    """Write forward's module to `path` and return its ModelProto. Raises ModelError."""
    import onnx

    where, inputs = forward.where, forward.inputs
    try:
        names = _names(forward.run(torch), inputs, torch)
    except Exception as error:  # the user's code may raise anything
        shapes = ", ".join(f"{k} {v.dtype} {list(v.shape)}" for k, v in inputs.items())
        raise ModelError(f"{where}: forward failed on {shapes}: {at(error)}") from None
    batch = torch.export.Dim("batch", min=1)
    axes = {name: {0: batch} for name in inputs}
    keyword = forward.by_name()
    with quiet() as said:
        try:
            program = torch.onnx.export(
                forward.module,
                () if keyword else tuple(inputs.values()),
                kwargs=inputs if keyword else None,
                input_names=list(inputs),
                output_names=names,
                dynamic_shapes=axes if keyword else tuple(axes.values()),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            model = program.model_proto
        except Exception as error:
            root = error.__cause__ or error
            chatter = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
            last = f"; exporter's last line: {chatter[-1][:200]}" if chatter else ""
            raise ModelError(
                f"{where}: torch.onnx.export with a symbolic batch failed: {cause(root)}{last}",
                hint=_ANY_BATCH,
            ) from None
    # torch.export may decide that the batch is a constant and only log it.
    for given in tensors(model)[0]:
        if not isinstance(given.shape[0], str):
            raise ModelError(
                f'{where}: expected a symbolic batch, torch.export fixed the first axis of "'
                f'{given.name}" at {given.shape[0]}, the number of example rows',
                hint=_ANY_BATCH,
            )
    _strip(model)
    # The exporter stamps its newest format; older runtimes on devices take what the opset needs.
    model.ir_version = min(
        model.ir_version, onnx.helper.find_min_ir_version_for(model.opset_import, True)
    )
    path.write_bytes(model.SerializeToString(deterministic=True))
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        raise ModelError(f"{where}: the exported model is not valid: {cause(error)}") from None
    return model


def _strip(message: Any) -> None:
    """Drop what changes between exports of equal weights: stack traces and local paths."""
    import onnx

    for name in ("doc_string", "metadata_props"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.full_name == "onnx.TensorProto":
            continue
        for item in value if not isinstance(value, onnx.ModelProto) and _many(value) else (value,):
            _strip(item)


def _many(value: Any) -> bool:
    return hasattr(value, "__len__") and not hasattr(value, "DESCRIPTOR")
