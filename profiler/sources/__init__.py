"""Where a baseline comes from: ONNX, torch, Hugging Face or scikit-learn. Host only."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from profiler.schema.artifact import Artifact
from profiler.schema.study.model import ModelSpec

SOURCES = {
    "onnx": "profiler.sources.formats.onnx_file:load_onnx",
    "torch": "profiler.sources.formats.torch_module:load_torch",
    "hf": "profiler.sources.formats.hugging_face:load_hf",
    "sklearn": "profiler.sources.formats.scikit_learn:load_sklearn",
}
"""key of a [[models]] table -> function with the signature of `load_baseline`"""


def load_baseline(
    spec: ModelSpec,
    *,
    folder: Path,
    out: Path,
    rows: dict[str, np.ndarray[Any, Any]] | None = None,
    seed: int = 0,
) -> Artifact:
    """Make the untransformed ONNX file of one model.

    `folder` is the study's; `out` is the artifacts folder directly inside the results folder, so
    that `Artifact.path` ('<out's name>/<sha>.onnx') is relative to the results folder. `rows` are
    model inputs by name, rows along axis 0; a torch source is exported and checked with them.
    Raises ModelError.
    """
    key = next(name for name in SOURCES if getattr(spec, name) is not None)
    module, function = SOURCES[key].split(":")
    made = getattr(import_module(module), function)(
        spec, folder=folder, out=out, rows=rows, seed=seed
    )
    assert isinstance(made, Artifact)
    return made
