"""Sizes asked for dimensions which no model has: a misspelt name would silently leave size 1."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from profiler.errors import InputError
from profiler.schema.artifact import Tensor
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.study import Study
from profiler.wire.codec import nearest


def check_dimensions(study: Study, symbolic: Mapping[str, Collection[str]]) -> None:
    """Raise InputError for a size whose dimension no model of the study leaves open.

    symbolic: model -> names of its symbolic dimensions, as far as they are known. Sources other
    than files may use a model's own `shapes` for the export; those are not looked at.
    """
    open_ = sorted({name for names in symbolic.values() for name in names})
    for model in study.models:
        if model.onnx is not None and model.name in symbolic:
            _refuse(f"models.{model.name}.shapes", model.shapes, open_)
    if all(model.name in symbolic for model in study.models):
        for index, sizes in enumerate(study.sweep.shapes):
            _refuse(f"sweep.shapes[{index}]", sizes, open_)


def check_axes(model: ModelSpec, inputs: Iterable[Tensor]) -> None:
    """Raise InputError for a batch axis of an input, or an axis, that the model hasn't."""
    named = {tensor.name: tensor for tensor in inputs}
    for name, axis in model.batch.items():
        if name not in named:
            raise InputError(
                f"models.{model.name}.batch (--batch-axis): the model has no input {name!r}",
                hint=nearest(name, named) or f"it has {', '.join(named)}",
            )
        rank = len(named[name].shape)
        if not -rank <= axis < rank:
            below = f"from 0 to {rank - 1}" if rank else "of an input that has any"
            raise InputError(
                f"models.{model.name}.batch.{name} (--batch-axis): expected an axis {below},"
                f" got {axis}",
                hint=f"its shape is [{', '.join(map(str, named[name].shape))}]; axes count from 0,"
                " and -1 is the last",
            )


def _refuse(where: str, wanted: Iterable[str], open_: Collection[str]) -> None:
    for name in wanted:
        if name not in open_:
            there = f"open are: {', '.join(open_)}" if open_ else "all sizes are fixed"
            raise InputError(
                f"{where}: no model has an open dimension {name!r} ({there})",
                hint=nearest(name, open_) or "samples a query are set by batch (--batch)",
            )
