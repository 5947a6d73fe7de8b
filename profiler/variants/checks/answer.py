"""Whether a variant answers a real query, and computes something else than its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from profiler.errors import VariantError
from profiler.schema.artifact import Artifact
from profiler.sources import openable
from profiler.variants.rows import query_rows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query and what the source answers; None where this machine can't tell."""

    query: Mapping[str, Array]
    outputs: Optional[Sequence[Array]]


def query_of(
    folder: Path, model: str, baseline: Artifact, inputs: Mapping[str, Mapping[str, str]]
) -> dict[str, Array]:
    """One query of a model: the first made-up one, or the first rows of its data.

    `inputs` is the results folder's: model or workload ('model#…') -> input -> sha of an .npy.
    """

    def first(sha: str) -> Array:
        values: Array = np.load(folder / "outputs" / f"{sha}.npy", mmap_mode="r")
        return values

    if model in inputs:
        rows = query_rows(baseline.inputs)
        return {name: np.array(first(sha)[:rows]) for name, sha in inputs[model].items()}
    key = next(key for key in inputs if key.partition("#")[0] == model)
    return {name: np.array(first(sha)[0]) for name, sha in inputs[key].items()}


def ask(source: Path, query: Mapping[str, Array]) -> Asked:
    """Have a helper process answer `query` (input -> array) with the CPU provider."""
    outputs, _ = openable.answers(source, query)
    return Asked(query=query, outputs=outputs)


def check_answer(path: Path, recipe: str, asked: Asked) -> None:
    """Raises VariantError unless the variant at `path` answers like its source, not equally.

    A file of the user's own may answer equally: it can be the same model, arranged for speed.
    """
    if asked.outputs is None:
        return
    ours, why = openable.answers(path, asked.query)
    if ours is None:
        if why is not None:
            raise VariantError(f"{recipe}: ONNX Runtime does not answer a query with it: {why}")
        return
    pairs = list(zip(asked.outputs, ours, strict=False))
    if len(ours) != len(asked.outputs) or any(a.shape != b.shape for a, b in pairs):
        raise VariantError(
            f"{recipe}: its outputs are of another shape than those of its source: "
            f"{_shapes(ours)} instead of {_shapes(asked.outputs)}"
        )
    if any(_finite(theirs) and not _finite(own) for theirs, own in pairs):
        raise VariantError(
            f"{recipe}: it answers NaN or infinity where its source gives numbers",
            hint="keep_float names nodes that stay float32",
        )
    unchanged = all(a.tobytes() == b.tobytes() for a, b in pairs) and any(map(_float, ours))
    if unchanged and recipe != "file":
        raise VariantError(
            f"{recipe}: its outputs are bit for bit those of its source: nothing that computes "
            "was converted",
            hint=f'leave "{recipe}" out of this model\'s variants',
        )


def _float(array: Array) -> bool:
    return bool(array.dtype.kind == "f")


def _finite(array: Array) -> bool:
    return not _float(array) or bool(np.isfinite(array).all())


def _shapes(arrays: Sequence[Array]) -> str:
    return ", ".join("×".join(map(str, array.shape)) or "one number" for array in arrays)
