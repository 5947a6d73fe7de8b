"""Before anything is measured: evaluation set, baselines, variants, model inputs.

What was made is recorded in the results folder, so that a resumed run makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from profiler.errors import ProfilerError
from profiler.planning.baselines import called_after
from profiler.planning.dimensions import check_axes, check_dimensions
from profiler.progress import Progress
from profiler.schema.artifact import Artifact
from profiler.schema.axes import Batch, find_batch, open_names
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.study import Study
from profiler.store.folder import ARTIFACTS, Store
from profiler.store.prepared import Prepared, keep, recall, workload
from profiler.wire.codec import encode

if TYPE_CHECKING:
    from profiler.data import EvaluationSet

PARITY_ROWS = 64


def prepare(study: Study, store: Store, cache: Path, progress: Progress) -> Prepared:
    """Read the data, export the baselines, make the variants; or read back what was made."""
    recorded = store.read_json(ARTIFACTS)
    if recorded is None:
        made = _make(study, store, cache, progress)
    else:
        before = recall(recorded, store.folder / ARTIFACTS)
        made = _add(before, study, store, cache, progress)
        if made is before:
            return made
    store.write_json(
        ARTIFACTS,
        {
            "artifacts": encode(list(made.artifacts.values())),
            "failed": [[*key, reason] for key, reason in made.failed.items()],
            "inputs": encode(made.inputs),
            "fixed_batch": dict(made.fixed_batch),
            "samples": encode(made.samples),
            "evaluation": encode(made.evaluation),
            "yardstick": encode(made.yardstick),
        },
    )
    return made


def _make(study: Study, store: Store, cache: Path, progress: Progress) -> Prepared:
    import numpy as np

    from profiler import data
    from profiler.campaign import own_metric, yardstick
    from profiler.campaign.fed import Fed
    from profiler.data import quality
    from profiler.variants import build_all, query_of
    from profiler.variants.rows import query_rows

    own_metric.check(study)
    evaluation_set: Optional[EvaluationSet] = None
    evaluation: Optional[Evaluation] = None
    if study.data is not None:
        progress.stage(f"reading {study.data.file}")
        evaluation_set = data.read(study.data, study.folder, study.seed)
    artifacts: dict[tuple[str, str], Artifact] = {}
    failed: dict[tuple[str, str], str] = {}
    inputs: dict[str, dict[str, str]] = {}
    fixed: dict[str, int] = {}
    baselines = {m.name: _baseline(m, study, store, evaluation_set, progress) for m in study.models}
    study = called_after(study, {n: made.made_by["computes"] for n, made in baselines.items()})
    batches = {m.name: batch_of(study, m, baselines[m.name]) for m in study.models}
    check_dimensions(
        study, {n: open_names(made.inputs, batches[n].names) for n, made in baselines.items()}
    )
    for model in study.models:
        baseline = baselines[model.name]
        counts = batches[model.name]
        if counts.fixed is not None:
            fixed[model.name] = counts.fixed
        calibration = None
        if evaluation_set is None:
            progress.stage(f"making up inputs of {model.name}")
            inputs |= _made_up(study, model, baseline, counts, store, progress)
        else:
            assert study.data is not None
            for text in data.check_judged(study.data, baseline, evaluation_set.labels):
                progress.note(text)
            bound = data.bind(
                evaluation_set, baseline.inputs, shapes=model.shapes, samples=counts.names
            )
            fed = Fed(
                baseline=baseline, file=store.folder / baseline.path, data=study.data,
                columns=tuple(evaluation_set.inputs), bound=bound, size=query_rows(baseline.inputs),
            )  # fmt: skip
            fed.check(np.concatenate([evaluation_set.judged, evaluation_set.calibration]))
            inputs[model.name] = {
                n: keep(store, v, evaluation_set.judged) for n, v in bound.items()
            }
            calibration = _rows(bound, evaluation_set.calibration)
        found, refused = build_all(
            baseline, study.variants_of(model), progress, root=store.folder, folder=study.folder,
            calibration=calibration, query=query_of(store.folder, model.name, baseline, inputs),
            seed=study.seed, cache=cache,
        )  # fmt: skip
        artifacts |= found
        failed |= refused
    if evaluation_set is not None and study.data is not None:
        chosen, labels = evaluation_set.evaluation, evaluation_set.labels
        told = quality.findings(evaluation_set, study.data.task)
        for text in told:
            progress.note(f"{study.data.file}: {text}")
        evaluation = Evaluation(
            labels=None if labels is None else keep(store, labels[evaluation_set.judged]),
            rows=len(chosen),
            numbers=keep(store, evaluation_set.judged),
            slices={
                n: keep(store, v[evaluation_set.judged]) for n, v in evaluation_set.slices.items()
            },
            pairs={
                n: keep(store, v[evaluation_set.judged]) for n, v in evaluation_set.pairs.items()
            },
            text=keep(store, evaluation_set.text[evaluation_set.judged])
            if evaluation_set.text is not None and study.stress is not None and study.stress.text
            else None,
            task=study.data.task,
            classes=study.data.classes,
            output=study.data.output,
            data=evaluation_set.sha,
            findings=told,
        )
    return Prepared(
        artifacts=artifacts,
        failed=failed,
        inputs=inputs,
        fixed_batch=fixed,
        samples={name: counts.names for name, counts in batches.items()},
        evaluation=evaluation,
        yardstick=yardstick.keep(store) if study.measure.yardstick else None,
    )


def _baseline(
    model: ModelSpec,
    study: Study,
    store: Store,
    evaluation_set: EvaluationSet | None,
    progress: Progress,
) -> Artifact:
    import numpy as np

    from profiler.sources import load_baseline
    from profiler.sources.inspect import load
    from profiler.variants.checks.saturation import saturable

    progress.stage(f"{'reading' if model.onnx else 'exporting'} {model.name}")
    rows = None
    if evaluation_set is not None:
        chosen = evaluation_set.evaluation[:PARITY_ROWS]
        rows = {n: np.asarray(v[chosen]) for n, v in evaluation_set.inputs.items()}
    out = store.folder / "artifacts"
    try:
        made = load_baseline(model, folder=study.folder, out=out, rows=rows, seed=study.seed)
        # A file that is given may be quantized already.
        found = saturable(load(store.folder / made.path), out)
        return replace(made, saturable=found)
    except ProfilerError as error:
        error.message = f"models.{model.name}: {error.message}"
        raise


def batch_of(study: Study, model: ModelSpec, baseline: Artifact) -> Batch:
    """How the model takes samples: as its `batch` says, or as its sizes do."""
    check_axes(model, baseline.inputs)
    given = {*model.shapes, *(name for sizes in study.sweep.shapes for name in sizes)}
    return find_batch(baseline.inputs, baseline.outputs, axes=model.batch, given=given)


def _made_up(
    study: Study,
    model: ModelSpec,
    baseline: Artifact,
    counts: Batch,
    store: Store,
    progress: Progress,
) -> dict[str, dict[str, str]]:
    """Workload -> input -> sha of its queries, for every batch and swept size."""
    from profiler.campaign.made_up import Maker
    from profiler.sources import openable

    maker = Maker(
        model=model.name, baseline=baseline, counts=counts, seed=study.seed,
        file=store.folder / baseline.path, progress=progress,
    )  # fmt: skip
    own, found = open_names(baseline.inputs, counts.names), {}
    for size, sweep in product(_batches(study, counts.fixed), study.sweep.shapes or ({},)):
        shapes = {name: value for name, value in sweep.items() if name in own}
        made = maker.queries({**model.shapes, **shapes}, size)
        key = workload(model.name, size, shapes)
        found[key] = {n: keep(store, v) for n, v in made.items()}
    openable.forget()
    return found


def _batches(study: Study, fixed: Optional[int]) -> set[int]:
    if fixed is not None:
        return {fixed}
    return {size for scenario in study.scenarios for size in scenario.batch}


def _rows(bound: Mapping[str, Any], chosen: Any) -> dict[str, Any]:
    import numpy as np

    return {name: np.asarray(values[chosen]) for name, values in bound.items()}


def _add(before: Prepared, study: Study, store: Store, cache: Path, progress: Progress) -> Prepared:
    """With the variants that no earlier run made; `before` itself where there is none.

    `auto` picks others for a target that was away when the folder was begun.
    """
    from profiler import data
    from profiler.variants import build_all, query_of

    study = before.named(study)
    known = {*before.artifacts, *before.failed}
    wanted = {
        model.name: [v for v in study.variants_of(model) if (model.name, v.name) not in known]
        for model in study.models
    }
    if not any(wanted.values()):
        return before
    rows = None if study.data is None else data.read(study.data, study.folder, study.seed)
    made, failed = dict(before.artifacts), dict(before.failed)
    for model in study.models:
        baseline = before.baselines[model.name]
        calibration = None
        if rows is not None and wanted[model.name]:
            samples = before.samples[model.name]
            bound = data.bind(rows, baseline.inputs, shapes=model.shapes, samples=samples)
            calibration = _rows(bound, rows.calibration)
        found, refused = build_all(
            baseline, wanted[model.name], progress, root=store.folder, folder=study.folder,
            calibration=calibration, seed=study.seed, cache=cache,
            query=query_of(store.folder, model.name, baseline, before.inputs),
        )  # fmt: skip
        made |= found
        failed |= refused
    return replace(before, artifacts=made, failed=failed)
