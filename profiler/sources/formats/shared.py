"""What the sources that export a model share: their extras, their rows, the artifact they leave."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact, Parity
from profiler.schema.study.model import ModelSpec
from profiler.sources.inspect import computes, opset, tensors
from profiler.sources.keep import keep
from profiler.sources.ranges import ranges

Array = np.ndarray[Any, Any]

DISTRIBUTION = "hardware-profiler"
PARITY_ROWS = 64


def extra(module: str, name: str, where: str) -> Any:
    """A library of one of our extras. Raises ModelError that says how to get it."""
    try:
        return import_module(module)
    except ImportError:
        raise ModelError(
            f"{where} needs {module}, which is not installed",
            hint=f"pip install '{DISTRIBUTION}[{name}]'",
        ) from None


def row_tensors(rows: Mapping[str, Array], torch: Any) -> dict[str, Any]:
    """The first PARITY_ROWS rows of each input as tensors."""
    return {name: torch.from_numpy(np.array(v[:PARITY_ROWS])) for name, v in rows.items()}


def exported(
    spec: ModelSpec, out: Path, write: Callable[[Path], tuple[Any, Parity]], made_by: dict[str, str]
) -> Artifact:
    """The baseline that `write` makes at a path: it returns the model and how far it is off."""
    with tempfile.TemporaryDirectory(prefix="profiler-export-") as scratch:
        raw = Path(scratch) / "model.onnx"
        model, parity = write(raw)
        kept = keep(raw, out)
    inputs, outputs = tensors(model)
    return Artifact(
        model=spec.name,
        variant="fp32",
        sha=kept.stem,
        path=f"{out.name}/{kept.name}",
        bytes=kept.stat().st_size,
        inputs=inputs,
        outputs=outputs,
        made_by={"recipe": "fp32", **made_by, "computes": computes(model)},
        parity=parity,
        takes=ranges(model),
        ir_version=model.ir_version,
        opset=opset(model),
    )
