"""What a baseline is called that nobody named: 'fp32' would be wrong of half-precision weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from profiler.schema.study.model import ModelSpec
from profiler.schema.study.study import BASELINE, Study


def called_after(study: Study, types: Mapping[str, str]) -> Study:
    """The study with such baselines called after `types`: model -> 'float16', 'float32-int8'."""
    models = {model.name: model for model in study.models}
    return called(
        study,
        {
            name: BASELINE.name if kind == "float32"
            else "baseline" if any(kind == v.name for v in study.variants_of(models[name]))
            else kind
            for name, kind in types.items()
        },
    )  # fmt: skip


def called(study: Study, names: Mapping[str, str]) -> Study:
    """The study with the baselines that nobody named called as `names` says: model -> name."""

    def own(model: ModelSpec) -> ModelSpec:
        base, *others = study.variants_of(model)
        name = names.get(model.name, base.name)
        if base.name != BASELINE.name or name == base.name:
            return model
        named = dataclasses.replace(base, name=name, recipe=BASELINE.recipe)
        return dataclasses.replace(model, variants=(named, *others))

    made = dataclasses.replace(study, models=tuple(map(own, study.models)))
    object.__setattr__(made, "folder", study.folder)
    return made
