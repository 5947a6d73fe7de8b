"""A baseline from a torch callable: called, exported to ONNX, and compared with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact, Parity
from profiler.schema.study.model import ModelSpec
from profiler.sources.formats.parity import compare
from profiler.sources.formats.shared import PARITY_ROWS, exported, extra, row_tensors
from profiler.sources.formats.torch_export import OPSET, Forward, export, parameters
from profiler.sources.formats.user_code import called, importable

Array = np.ndarray[Any, Any]


def load_torch(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, Array] | None = None,
    seed: int = 0,
) -> Artifact:
    """Export the module that spec.torch returns to out/<sha>.onnx with a symbolic batch.

    Example inputs are `rows` (first axis: rows), else those which the callable returns beside the
    module. Raises ModelError naming the model and what failed.
    """
    torch = needed()
    where = f'torch = "{spec.torch}"'
    with importable(folder), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, examples = _call(spec, torch)
        given = _inputs(spec, module, rows, examples, torch)
        source = Source(where=where, name=f"torch {spec.torch}", module=module, inputs=given)
        return from_module(spec, source, out, torch)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A module with rows to export and check it on."""

    where: str
    """the study key that names it, for messages"""
    name: str
    """what `made_by` calls it"""
    module: Any
    inputs: dict[str, Any]


def from_module(spec: ModelSpec, source: Source, out: Path, torch: Any) -> Artifact:
    """Export a module, compare the export with it, keep the file. Raises ModelError."""
    inputs = _ready(source, torch)

    def write(raw: Path) -> tuple[Any, Parity]:
        forward = Forward(where=source.where, module=source.module, inputs=inputs)
        return export(forward, raw, torch), compare(forward, raw, torch)

    made_by = {"source": source.name, "torch": str(torch.__version__), "opset": str(OPSET)}
    return exported(spec, out, write, made_by)


def needed() -> Any:
    """torch, or a ModelError that says how to get it."""
    torch = extra("torch", "torch", "a torch source")
    extra("onnxscript", "torch", "exporting from torch")
    return torch


def _call(spec: ModelSpec, torch: Any) -> tuple[Any, Any]:
    """The module in eval mode on the CPU, and the example inputs that came with it, or None."""
    where = f'torch = "{spec.torch}"'
    made = called(where, str(spec.torch))
    module, examples = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f'{where}: expected "{spec.torch}" to return a torch.nn.Module or '
            f"(module, example_inputs), got {type(made).__name__}"
        )
    return module.eval().cpu(), examples


def _inputs(
    spec: ModelSpec, module: Any, rows: dict[str, Array] | None, examples: Any, torch: Any
) -> dict[str, Any]:
    """Tensors by input name: from the data's rows, else those the callable returned."""
    where = f'torch = "{spec.torch}"'
    named, needed, variadic = parameters(module)
    if rows:
        for key, value in rows.items():
            if value.dtype.kind not in "biuf":
                raise ModelError(
                    f'{where}: expected numbers to feed forward, the data\'s "{key}" is text',
                    hint="name the columns to use in [data] inputs, or save it as numbers",
                )
        given = row_tensors(rows, torch)
        if needed and set(needed) <= set(given):
            return {name: given[name] for name in named if name in given}
        if not (len(needed) <= len(given) and (variadic or len(given) <= len(named))):
            raise ModelError(
                f"{where}: forward expects inputs ({', '.join(named)}), "
                f"the data gives ({', '.join(given)})",
                hint=f'name them in the study: [data] inputs = {{ {named[0]} = "<column>" }}'
                if named
                else "a module without inputs can't be measured",
            )
        return given
    if isinstance(examples, Mapping):
        return dict(examples)
    if examples is None:
        return {}
    values = examples if isinstance(examples, (tuple, list)) else (examples,)
    names = [*named, *(f"input_{i}" for i in range(len(named), len(values)))]
    return dict(zip(names, values, strict=False))


def _ready(source: Source, torch: Any) -> dict[str, Any]:
    """At most PARITY_ROWS rows of each input, floats in the type of the module's weights.

    torch.export takes an axis of length 1 for a constant, so a single row is doubled. Whole
    numbers become floats where forward takes only those (pixels as bytes, counts in a table).
    """
    module, given = source.module, source.inputs
    if not given or not all(isinstance(v, torch.Tensor) and v.ndim for v in given.values()):
        raise ModelError(
            f"{source.where}: expected example inputs to export with, got "
            f"{'none' if not given else 'something else than tensors with a batch axis'}",
            hint="add [data] to the study, or return (module, example_inputs) from the callable",
        )
    floats = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    ready = {}
    for name, value in given.items():
        ready[name] = value[:PARITY_ROWS].to(floats if value.is_floating_point() else value.dtype)
        if len(value) == 1:
            ready[name] = torch.cat([ready[name]] * 2)
    if not all(value.is_floating_point() for value in ready.values()):
        trial = Forward(where="", module=module, inputs=ready)
        try:
            trial.run(torch)
        except Exception:
            return {name: value.to(floats) for name, value in ready.items()}
    return ready
