"""The predictions that rounds brought: one array a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.analysis import detection
from profiler.analysis.samples import Samples
from profiler.errors import InputError
from profiler.store import read_array

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def of_trials(
    samples: Mapping[str, Samples], folder: Path, output: str | None, detections: tuple[str, ...]
) -> dict[str, Array]:
    """Trial -> its predictions (rows, …): evaluation rows, then confirmation rows.

    output: the model's output that is judged, None for the first; detections: three that are
    joined. Raises InputError for one the model does not have.
    """
    found = {}
    for trial, taken in samples.items():
        brought = (one.repetition.outputs for one in taken.taken.values())
        named = next((outputs for outputs in brought if outputs), None)
        if named is None:
            continue
        wanted = detections or (output or next(iter(named)),)
        for name in wanted:
            if name not in named:
                key = "detections" if detections else "output"
                raise InputError(
                    f"data.{key}: the model has no output {name!r}",
                    hint=f"it has {', '.join(named)}",
                )
        arrays = [read_array(folder, named[name]) for name in wanted]
        found[trial] = detection.joined(*arrays) if detections else arrays[0]
    return found
