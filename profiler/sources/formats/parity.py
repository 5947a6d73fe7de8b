"""Agreement of an export with its source, so that no export error is blamed on a variant."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from profiler.errors import ModelError
from profiler.schema.artifact import Parity
from profiler.sources.formats.torch_export import Forward
from profiler.sources.quiet import cause
from profiler.wire.providers import CPU

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-4, 1e-5
"""of the largest output value; float32 sums of a deep network differ by about 1e-6 of it"""


def gap(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> tuple[float, float]:
    """(largest difference, tolerance) of one output. NaN against NaN is equal, else infinite."""
    if wanted.shape != found.shape:
        return np.inf, ABSOLUTE_TOLERANCE
    wide, other = wanted.astype(np.float64), found.astype(np.float64)
    scale = float(np.max(np.abs(wide), initial=0.0, where=np.isfinite(wide)))
    same = (wide == other) | (np.isnan(wide) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(wide - other))
    error = float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))
    return error, RELATIVE_TOLERANCE * scale + ABSOLUTE_TOLERANCE


def compare(forward: Forward, path: Path, torch: Any) -> Parity:
    """Run source and export on the same rows; each output is judged against its own scale.

    All rows at once and the first alone: a branch on the batch size is frozen by the export.
    Raises ModelError naming the worst output and its error.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    rows = len(next(iter(forward.inputs.values())))
    judged = []
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[CPU])
        names = [item.name for item in session.get_outputs()]
        # The exporter drops an input that forward does not use.
        known = {item.name for item in session.get_inputs()}
        for count in (rows, 1):
            part = {name: value[:count] for name, value in forward.inputs.items()}
            feeds = {name: value.numpy() for name, value in part.items() if name in known}
            results = session.run(None, feeds)
            expected = dataclasses.replace(forward, inputs=part).arrays(torch)
            if len(names) != len(expected):
                raise ModelError(
                    f"{forward.where}: forward returns {len(expected)} tensors, the exported "
                    f"model {len(names)}",
                    hint="return each tensor once",
                )
            for name, wanted, found in zip(names, expected, results, strict=True):
                judged.append((*gap(wanted, found), name, count))
    except ModelError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise ModelError(
            f"{forward.where}: ONNX Runtime can't run the exported model: {cause(error)}"
        ) from None
    worst, tolerance, name, count = max(judged, key=lambda entry: entry[0] / entry[1])
    if worst > tolerance:
        what = f"differs by {worst:.3g}" if np.isfinite(worst) else "has another shape or NaN"
        raise ModelError(
            f"{forward.where}: the exported model disagrees with torch: output "
            f'"{name}" {what} over {count} rows, expected at most {tolerance:.3g}',
            hint="forward must not be random (turn dropout off in eval mode) "
            "nor branch on the number of rows",
        )
    return Parity(rows=rows, max_abs_error=worst, tolerance=tolerance, worst_output=name)
