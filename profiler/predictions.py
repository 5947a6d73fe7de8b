"""The predictions that rounds brought: one array a trial, the same object where they are equal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.analysis import detection
from profiler.analysis.accuracy import Accuracy
from profiler.analysis.once import once
from profiler.analysis.samples import Samples
from profiler.errors import InputError
from profiler.prepare import Prepared
from profiler.schema.data import DataSpec
from profiler.schema.recorded import Evaluation
from profiler.schema.study import Study
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
    read: dict[tuple[str, ...], Array] = {}
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
        files = tuple(named[name] for name in wanted)
        if files not in read:  # trials that differ in threads alone send the same bytes
            arrays = [read_array(folder, sha) for sha in files]
            read[files] = detection.joined(*arrays) if detections else arrays[0]
        found[trial] = read[files]
    return found


def named(prepared: Prepared, spec: DataSpec | None) -> dict[str, str]:
    """Model with several outputs -> the one that is judged, in quotes."""
    if spec is None:
        return {}
    artifacts = {a.model: a for a in prepared.artifacts.values()}
    outputs = {m: prepared.baseline_of(m, artifact).outputs for m, artifact in artifacts.items()}
    return {
        model: ", ".join(f'"{name}"' for name in spec.judged(found))
        for model, found in outputs.items()
        if len(found) > 1
    }


def judged(
    outputs: Mapping[str, Array],
    part: slice,
    baselines: Mapping[str, str],
    evaluation: Evaluation,
    study: Study,
    folder: Path,
    own: Mapping[str, Mapping[str, Any]],
) -> Accuracy:
    """What is known of the predictions of the rows in `part`.

    own: trial -> accuracy columns by the study's own metric, where it has one.
    """
    assert study.data is not None

    def kept(sha: str) -> Array:
        values: Array = read_array(folder, sha)[part]
        return values

    return Accuracy(
        outputs=once(outputs, lambda output: output[part]),
        baselines=baselines,
        task=evaluation.task,
        labels=None if evaluation.labels is None else kept(evaluation.labels),
        numbers=kept(evaluation.numbers),
        slices={name: kept(sha) for name, sha in evaluation.slices.items()},
        pairs={name: kept(sha) for name, sha in evaluation.pairs.items()},
        spec=study.data,
        own=own if study.data.metric else None,
        margin=study.measure.margin,
        seed=study.seed,
    )
