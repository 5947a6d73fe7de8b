"""Making a variant: the recipe is looked up, the cache asked, the result named by its hash."""

from __future__ import annotations

import dataclasses
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from profiler.errors import VariantError
from profiler.schema.artifact import Artifact
from profiler.schema.study.recipes import RECIPES
from profiler.schema.study.variant import VariantSpec
from profiler.sources.inspect import load, opset, tensors
from profiler.sources.keep import keep_model
from profiler.variants import operators
from profiler.variants.already import check_new
from profiler.variants.checks.answer import Asked, check_answer
from profiler.variants.checks.saturation import saturable
from profiler.variants.making import cache as memory
from profiler.variants.making.aside import Aside, put_back
from profiler.variants.making.plain import plain
from profiler.variants.recipe import Recipe, Request
from profiler.variants.scope import all_nodes
from profiler.wire.hashes import sha_of

ARTIFACTS = "artifacts"
"""folder of the artifact files inside a results folder"""


def build(
    baseline: Artifact,
    spec: VariantSpec,
    *,
    root: Path,
    folder: Path = Path(),
    calibration: dict[str, np.ndarray[Any, Any]] | None = None,
    seed: int = 0,
    cache: Path | None = None,
    asked: Asked | None = None,
) -> Artifact:
    """Make one variant of `baseline`; the same request gives the same artifact hash.

    `folder` is the study's. `root` is the results folder that `baseline.path` is relative to; the
    file goes to root/artifacts/<sha>.onnx. `calibration` maps each model input to rows (first
    axis: rows, with the model's dtype). `cache` is shared between studies; without it nothing is
    remembered. `asked` is a query that the variant has to answer like its source.
    Raises VariantError when the variant can't be made; nothing is left behind then.
    """
    name = spec.recipe or spec.name
    if name == "fp32":
        return dataclasses.replace(baseline, variant=spec.name)
    module = RECIPES[name].module if name in RECIPES else None
    if module is None:
        known = ", ".join(RECIPES)
        raise VariantError(f'{spec.name}: expected a recipe, one of {known}, got "{name}"')
    recipe = cast(Recipe, import_module(module))
    rows = _rows(name, baseline, calibration) if spec.needs_rows else None
    source = root / baseline.path
    if not source.is_file():
        raise VariantError(f"{source}: the baseline's file is missing", hint="run the study again")
    settings = recipe.parameters(spec)
    versions = _versions()
    key = memory.key_of(
        {
            "baseline": baseline.sha,
            "recipe": name,
            "recipe_version": recipe.VERSION,
            "settings": settings,
            "calibration": memory.rows_sha(rows),
            "seed": seed,
            "versions": versions,
            **_file(folder, spec),
        }
    )
    made = memory.lookup(cache, key) if cache is not None else None
    if made is not None:
        kept = keep_model(made, root / ARTIFACTS)
    else:
        with tempfile.TemporaryDirectory(prefix="profiler-variant-") as scratch:
            aside = Aside()
            if name != "file":
                source, aside = plain(source, Path(scratch))
                check_new(load(source), name)
            request = Request(
                model=baseline.model,
                source=source,
                spec=spec,
                folder=folder,
                inputs=baseline.inputs,
                outputs=baseline.outputs,
                calibration=rows,
                seed=seed,
                scratch=Path(scratch),
            )
            fresh = recipe.make(request)
            put_back(fresh, aside)
            kept = keep_model(fresh, root / ARTIFACTS)
            if cache is not None:
                memory.remember(cache, key, fresh)
    if asked is not None:
        check_answer(kept.path, name, asked)
    model = load(kept.path)
    inputs, outputs = tensors(model)
    nodes = list(all_nodes(model.graph))
    convolutions = sum(node.op_type == "ConvInteger" for node in nodes)
    count = {} if rows is None else {"calibration_rows": str(len(next(iter(rows.values()))))}
    return Artifact(
        model=baseline.model,
        variant=spec.name,
        sha=kept.path.stem,
        path=f"{ARTIFACTS}/{kept.path.name}",
        bytes=kept.bytes,
        inputs=inputs,
        outputs=outputs,
        ir_version=model.ir_version,
        opset=opset(model),
        made_by={
            "recipe": name,
            "recipe_version": str(recipe.VERSION),
            "baseline": baseline.sha,
            **settings,
            **count,
            **operators.recorded(model),
            **({"convolutions": str(convolutions)} if convolutions else {}),
            **({"why": spec.why} if spec.why else {}),
            **versions,
        },
        data=kept.data,
        saturable=saturable(model, kept.path.parent),
    )


def _rows(
    name: str,
    baseline: Artifact,
    calibration: dict[str, np.ndarray[Any, Any]] | None,
) -> dict[str, np.ndarray[Any, Any]]:
    """The rows a recipe calibrates with."""
    if not calibration or not len(next(iter(calibration.values()))):
        raise VariantError(
            f"{name} needs calibration rows, got none",
            hint="add [data] to the study, with a split column or calibration_rows",
        )
    missing = [t.name for t in baseline.inputs if t.name not in calibration]
    if missing:
        raise VariantError(
            f'{name} needs calibration rows for the model input "{missing[0]}", '
            f"got them for: {', '.join(calibration)}",
            hint=f'add it to [data] inputs: {{ {missing[0]} = "<column>" }}',
        )
    return {t.name: calibration[t.name] for t in baseline.inputs}


def _file(folder: Path, spec: VariantSpec) -> dict[str, str]:
    """The content of the file a variant names, for the cache key."""
    path = folder / (spec.file or "")
    return {"file_sha": sha_of(path)} if spec.file and path.is_file() else {}


def _versions() -> dict[str, str]:
    import onnx
    import onnxruntime

    return {"onnx": str(onnx.__version__), "onnxruntime": str(onnxruntime.__version__)}
