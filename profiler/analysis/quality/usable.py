"""Whether predictions have the shape that their task is judged by, before they are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality import detection, embedding, masks, tokens, verdicts
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import Rows

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def check(outputs: Mapping[str, Rows], spec: DataSpec, labels: Array | None) -> None:
    """Judge the first row, as all will be. Raises DataError where the shape does not allow it.

    outputs: name -> (rows, ...), the judged ones among them; labels: those of these rows.
    """
    try:
        _judge(outputs, spec, labels)
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(
            f"data.task: {spec.task} can't be judged by these outputs: {error}"
        ) from None


def _judge(outputs: Mapping[str, Rows], spec: DataSpec, labels: Array | None) -> None:
    import numpy as np

    named = spec.detections or (spec.output or next(iter(outputs)),)
    first = [np.asarray(outputs[name][:1]) for name in named]
    output = detection.joined(*first) if spec.detections else first[0]
    label = None if labels is None else labels[:1]
    if spec.task == "classification":
        if label is not None:  # without labels any numbers can be compared with the baseline's
            verdicts.predicted_classes(output)
    elif spec.task == "embedding":
        embedding.unit(output)
    elif spec.task == "token-classification":
        tags = tokens.predicted_tags(output)
        if label is not None and tags.shape != label.shape:
            raise DataError(
                f"data.task: token-classification needs as many tokens as the labels have,"
                f" {label.shape[1]} a row, the model gave {tags.shape[1]}",
                hint="pad or cut the labels to the model's length before saving",
            )
    elif spec.task == "segmentation" and label is not None:
        masks.counts(output, label, spec.ignored, 1 + int(label.max(initial=0)))
    elif spec.task == "detection" and label is not None:
        detection.judged(output, label, spec.ignored)
    elif spec.task == "regression" and not output.size:
        raise DataError("data.task: regression needs a number a row, the model gave none")
