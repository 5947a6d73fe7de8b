"""The predictions that rounds brought: one array a trial, the same object where they are equal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality import usable
from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.trials.samples import Samples
from profiler.errors import DataError, InputError, ResultsError
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.data import DataSpec
from profiler.schema.study.study import Study
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows
from profiler.store import arrays
from profiler.store.prepared import Prepared
from profiler.tasks.task import task_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def of_trials(
    samples: Mapping[str, Samples],
    folder: Path,
    evaluation: Evaluation,
    spec: DataSpec,
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Trial -> its predictions (rows, …): evaluation rows, then confirmation rows.

    Also tells which can't be read, or be judged by the labels, and are left out. Raises InputError
    for an output that the model does not have, ResultsError where it can't be read what was
    predicted.
    """
    import numpy as np

    predicted: dict[str, Rows] = {}
    faults: list[str] = []
    count, labels = arrays.count(folder, evaluation), arrays.labels(folder, evaluation, spec)
    task = task_of(spec.task)
    read: dict[tuple[str, ...], Rows | None] = {}
    for trial, taken in samples.items():
        brought = (one.repetition.outputs for one in taken.taken.values())
        named = next((outputs for outputs in brought if outputs), None)
        if named is None:
            continue
        wanted = spec.named or (next(iter(named)),)
        for name in wanted:
            if name not in named:
                key = "detections" if spec.detections else "output"
                raise InputError(
                    f"data.{key}: the model has no output {name!r}",
                    hint=f"it has {', '.join(named)}",
                )
        files = tuple(named[name] for name in wanted)
        if files not in read:  # trials that differ in threads alone send the same bytes
            try:
                parts = {n: arrays.predicted(folder, named[n], count) for n in wanted}
                usable.check(parts, spec, labels)
                one, *others = parts.values()
                read[files] = task.joined([*map(np.asarray, (one, *others))]) if others else one
            except (DataError, ResultsError) as error:
                read[files] = None
                told = error.message.removeprefix(f"{folder}/")
                faults.append(f"predictions of {trial}: {told}")
        brought_back = read[files]
        if brought_back is not None:
            predicted[trial] = brought_back
    return predicted, tuple(faults)


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
    outputs: Mapping[str, Rows],
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

    spec = study.data
    count, labels = arrays.count(folder, evaluation), arrays.labels(folder, evaluation, spec)

    def cut(sha: str, kinds: str) -> Array:
        return arrays.column(folder, sha, kinds, count)[part]

    return Accuracy(
        outputs=once(outputs, lambda output: output[part]),
        baselines=baselines,
        task=evaluation.task,
        labels=None if labels is None else labels[part],
        numbers=cut(evaluation.numbers, "iu"),
        slices={name: cut(sha, "biufUS") for name, sha in evaluation.slices.items()},
        pairs={name: cut(sha, "biufUS") for name, sha in evaluation.pairs.items()},
        spec=spec,
        own=own if spec.metric else None,
        margin=study.measure.margin,
        seed=study.seed,
    )
