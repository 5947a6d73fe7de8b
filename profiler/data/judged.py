"""Which of a model's outputs is judged, and whether another one fits the labels better."""

from __future__ import annotations

from typing import Any

import numpy as np

from profiler.data.bind import NO_TENSOR
from profiler.errors import DataError
from profiler.schema.artifact import Artifact, Tensor
from profiler.schema.study.data import DataSpec
from profiler.tasks.task import task_of
from profiler.wire.codec import nearest

Array = np.ndarray[Any, Any]

NO_ZIPMAP = 'a scikit-learn model without ZipMap: to_onnx(model, X, options={"zipmap": False})'


def check_judged(spec: DataSpec, baseline: Artifact, labels: Array | None) -> list[str]:
    """Whether the outputs that the study judges are there and fit the labels.

    Where the study names none and another one fits better, it has to. Returns what is not judged
    since it holds no array of numbers. Raises DataError.
    """
    outputs = {tensor.name: tensor for tensor in baseline.outputs}
    judged = [_judged(spec, baseline, outputs, n) for n in spec.judged(baseline.outputs)]
    if not judged:
        raise _no_numbers("none of the outputs", baseline, baseline.outputs[0])
    if not spec.output and len(judged) == 1:
        better = _better(spec, baseline, judged[0], labels)
        if better is not None:
            raise DataError(
                f"data.output: {baseline.model} has {len(outputs)} outputs; {_shown(better)} fits"
                f" {spec.file}'s labels better than the first, {_shown(judged[0])}",
                hint=f'[data] output = "{better.name}" (--judge {better.name}), or'
                f' "{judged[0].name}" if it is meant',
            )
    if labels is not None and len(judged) == 1 and _known(judged[0]):
        task_of(spec.task).check_scores(spec, baseline.model, judged[0], labels)
    return [
        f'{baseline.model}: its output "{t.name}" is {_kind(t)} and not judged, "{judged[0].name}"'
        f" is (export {_without(baseline)})"
        for t in baseline.outputs
        if t.dtype in ("sequence_type", "map_type")
    ]


def _judged(spec: DataSpec, baseline: Artifact, outputs: dict[str, Tensor], name: str) -> Tensor:
    key = "detections" if spec.detections else "output"
    if name not in outputs:
        raise DataError(
            f"data.{key}: {baseline.model} has no output {name!r}",
            hint=nearest(name, outputs) or f"it has {', '.join(outputs)}",
        )
    if not outputs[name].numeric:
        raise _no_numbers(f'the output "{name}"', baseline, outputs[name])
    return outputs[name]


def _no_numbers(what: str, baseline: Artifact, tensor: Tensor) -> DataError:
    """Only arrays of numbers can be judged."""
    way = _without(baseline) if tensor.dtype in NO_TENSOR else "it with float32"
    return DataError(
        f"data.output: {what} of {baseline.model} can be judged: {_kind(tensor)}, no array of"
        " numbers",
        hint=f"export {way}",
    )


def _without(baseline: Artifact) -> str:
    """How its maker exports the model with arrays only."""
    made_by = f"{baseline.made_by.get('source')} {baseline.made_by.get('producer')}"
    return NO_ZIPMAP if "skl" in made_by else "it with plain tensors as outputs"


def _kind(tensor: Tensor) -> str:
    return NO_TENSOR.get(tensor.dtype, "text" if tensor.dtype == "str" else tensor.dtype)


def _shown(tensor: Tensor) -> str:
    return f'"{tensor.name}" [{", ".join(map(str, tensor.shape))}]'


def _known(tensor: Tensor) -> bool:
    """Whether the model says of how many dimensions an output is."""
    return tensor.shape != ("...",)


def _better(
    spec: DataSpec, baseline: Artifact, judged: Tensor, labels: Array | None
) -> Tensor | None:
    """The output that fits best where the judged one fits worse; None for none."""
    if labels is None:
        return None
    far = _distance(spec, judged, labels)
    if not far:
        return None
    for tensor in baseline.outputs:
        found = _distance(spec, tensor, labels) if tensor.numeric else None
        if found is not None and found < far:
            return tensor
    return None


def _distance(spec: DataSpec, tensor: Tensor, labels: Array) -> float | None:
    """How badly an output fits the labels, from 0 to infinity; None where it doesn't tell."""
    if not _known(tensor):
        return None
    return task_of(spec.task).distance(spec, tensor, labels)
