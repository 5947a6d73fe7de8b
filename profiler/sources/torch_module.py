"""A baseline from a torch callable: called, exported to ONNX, and compared with its source."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact
from profiler.schema.codec import nearest
from profiler.schema.study import ModelSpec
from profiler.sources.inspect import tensors
from profiler.sources.keep import keep
from profiler.sources.parity import compare
from profiler.sources.quiet import cause
from profiler.sources.torch_export import OPSET, Forward, at, export, parameters

Array = np.ndarray[Any, Any]

DISTRIBUTION = "hardware-profiler"
PARITY_ROWS = 64


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
    torch = _torch()
    with _importable(folder), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, examples = _call(spec, torch)
        inputs = _ready(spec, module, _inputs(spec, module, rows, examples, torch), torch)
        with tempfile.TemporaryDirectory(prefix="profiler-export-") as scratch:
            raw = Path(scratch) / "model.onnx"
            forward = Forward(where=f'torch = "{spec.torch}"', module=module, inputs=inputs)
            model = export(forward, raw, torch)
            parity = compare(forward, raw, torch)
            kept = keep(raw, out)
    given, results = tensors(model)
    return Artifact(
        model=spec.name,
        variant="fp32",
        sha=kept.stem,
        path=f"{out.name}/{kept.name}",
        bytes=kept.stat().st_size,
        inputs=given,
        outputs=results,
        made_by={
            "recipe": "fp32",
            "source": f"torch {spec.torch}",
            "torch": str(torch.__version__),
            "opset": str(OPSET),
        },
        parity=parity,
    )


def _torch() -> Any:
    hint = f"pip install '{DISTRIBUTION}[torch]'"
    try:
        import torch
    except ImportError:
        raise ModelError("a torch source needs torch, which is not installed", hint=hint) from None
    if importlib.util.find_spec("onnxscript") is None:
        raise ModelError("exporting from torch needs onnxscript, not installed", hint=hint)
    return torch


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the study can be imported inside the block, and are forgotten after it.

    Two studies may each have a models.py; the second must not get the first one's.
    """
    before, place = set(sys.modules), str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            top = name.partition(".")[0]
            beside = (folder / f"{top}.py").is_file() or (folder / top).is_dir()
            if beside and top not in before:
                del sys.modules[name]


def _call(spec: ModelSpec, torch: Any) -> tuple[Any, Any]:
    """The module in eval mode on the CPU, and the example inputs that came with it, or None."""
    name, _, attribute = str(spec.torch).partition(":")
    where = f'torch = "{spec.torch}"'
    try:
        source = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ModelError(f'{where}: importing "{name}" failed: {cause(error)}') from None
        raise ModelError(
            f'{where}: expected a module that can be imported, got "{name}"',
            hint=f"put {error.name}.py beside the study file or install the package",
        ) from None
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise ModelError(f'{where}: importing "{name}" failed: {at(error)}') from None
    found = getattr(source, attribute, None)
    if not callable(found):
        known = [key for key, value in vars(source).items() if callable(value) and key[0] != "_"]
        raise ModelError(
            f'{where}: expected a callable "{attribute}" in "{name}", found '
            f"{'none' if found is None else type(found).__name__}",
            hint=nearest(attribute, known) or f"it has: {', '.join(known) or 'no callables'}",
        )
    try:
        made = found()
    except (Exception, SystemExit) as error:
        raise ModelError(f'{where}: calling "{spec.torch}" failed: {at(error)}') from None
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
        given: dict[str, Any] = {
            key: torch.from_numpy(np.array(value[:PARITY_ROWS])) for key, value in rows.items()
        }
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


def _ready(spec: ModelSpec, module: Any, given: dict[str, Any], torch: Any) -> dict[str, Any]:
    """At most PARITY_ROWS rows of each input, floats in the type of the module's weights.

    torch.export takes an axis of length 1 for a constant, so a single row is doubled. Whole
    numbers become floats where forward takes only those (pixels as bytes, counts in a table).
    """
    if not given or not all(isinstance(v, torch.Tensor) and v.ndim for v in given.values()):
        raise ModelError(
            f'torch = "{spec.torch}": expected example inputs to export with, got '
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
