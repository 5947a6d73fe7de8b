"""A baseline that is an ONNX file already: checked, then copied by content hash, unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from profiler.schema.artifact import Artifact
from profiler.schema.study.model import ModelSpec
from profiler.sources.formats.text_inputs import refuse_text
from profiler.sources.inspect import computes, load, opset, tensors
from profiler.sources.keep import check_data, keep_model
from profiler.sources.openable import openable
from profiler.sources.ranges import ranges


def load_onnx(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, np.ndarray[Any, Any]] | None = None,
    seed: int = 0,
) -> Artifact:
    """Check folder/<spec.onnx> and copy it, with external weights, to out/<sha>.onnx.

    `rows` and `seed` are not used.

    Raises ModelError for a file that is missing, not ONNX, cut short or invalid, that the runtime
    does not take, that takes text, or whose weights are missing.
    """
    path = folder / str(spec.onnx)
    model = load(path)
    check_data(path, model)
    openable(path)
    inputs, outputs = tensors(model)
    refuse_text(path, model, inputs, outputs)
    kept = keep_model(path, out)
    return Artifact(
        model=spec.name,
        variant="fp32",
        sha=kept.path.stem,
        path=f"{out.name}/{kept.path.name}",
        bytes=kept.bytes,
        inputs=inputs,
        outputs=outputs,
        made_by={
            "recipe": "fp32",
            "source": "onnx",
            "producer": f"{model.producer_name} {model.producer_version}".strip() or "unknown",
            "opset": str(opset(model)),
            "computes": computes(model),
        },
        takes=ranges(model),
        data=kept.data,
        ir_version=model.ir_version,
        opset=opset(model),
    )
