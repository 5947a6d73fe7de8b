"""A baseline that is an ONNX file already: checked, then copied by content hash, unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Artifact
from profiler.schema.study import ModelSpec
from profiler.sources.inspect import load, opset, tensors, uses_external_data
from profiler.sources.keep import keep
from profiler.sources.quiet import cause


def load_onnx(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, np.ndarray[Any, Any]] | None = None,
    seed: int = 0,
) -> Artifact:
    """Check folder/<spec.onnx> and copy it to out/<sha>.onnx. `rows` and `seed` are not used.

    Raises ModelError for a file that is missing, not ONNX, cut short, invalid, or split in parts.
    """
    import onnx

    path = folder / str(spec.onnx)
    model = load(path)
    if uses_external_data(model):
        raise ModelError(
            f"{path}: expected all weights inside the file, got weights in a separate file",
            hint="not supported yet; up to 2 GB, save it as one file with "
            "onnx.save(onnx.load(path), new_path)",
        )
    try:
        # By path, so that models near protobuf's 2 GB limit pass too.
        onnx.checker.check_model(str(path))
    except Exception as error:  # the checker raises ValidationError, RuntimeError and others
        raise ModelError(
            f"{path}: expected a valid ONNX model, the checker says: {cause(error)}",
            hint="export the model again with a current exporter",
        ) from None
    inputs, outputs = tensors(model)
    kept = keep(path, out)
    return Artifact(
        model=spec.name,
        variant="fp32",
        sha=kept.stem,
        path=f"{out.name}/{kept.name}",
        bytes=kept.stat().st_size,
        inputs=inputs,
        outputs=outputs,
        made_by={
            "recipe": "fp32",
            "source": "onnx",
            "producer": f"{model.producer_name} {model.producer_version}".strip() or "unknown",
            "opset": str(opset(model)),
        },
    )
