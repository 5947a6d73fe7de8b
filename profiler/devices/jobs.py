"""From a planned trial to what the device is told of it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Optional

import profiler
from profiler.schema.device.cores import KINDS
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.study.study import Study
from profiler.store.prepared import Prepared
from profiler.tasks.task import task_of
from profiler.units import parse_cpus, parse_size
from profiler.wire.codec import encode
from profiler.wire.messages import GpuOptions, Job
from profiler.wire.scenarios import known


def memory_limit_bytes(trial: Trial, target: Target, study: Study) -> Optional[int]:
    """The swept limit, else the study's, but never more than the target allows; None: no limit."""
    own = parse_size(trial.memory_limit) if trial.memory_limit else study.measure.memory_limit
    return min(filter(None, (own, target.memory_limit)), default=None)


def make_yardstick(name: str | None, jobs: Collection[Job], prepared: Prepared) -> Optional[Job]:
    """The yardstick called `name` beside `jobs`; None where there is none, or it tells nothing.

    It is bound to the CPUs of a job of one thread that the user bound to some.
    """
    made = prepared.yardstick
    if name is None or made is None or all(known(job.scenario).fresh for job in jobs):
        return None
    solo = [job for job in jobs if job.threads == 1]
    return Job(
        trial=name,
        artifact=made.artifact.sha,
        artifact_bytes=made.artifact.bytes,
        inputs=made.inputs,
        stack=False,
        affinity=solo[0].affinity if solo else (),
    )


def make_job(trial: Trial, target: Target, prepared: Prepared, study: Study) -> Job:
    """The job of one trial on its target."""
    common: dict[str, Any] = {
        "trial": trial.id,
        "provider": trial.provider,
        "threads": trial.threads,
        "scenario": trial.scenario,
        "batch": trial.batch,
        "concurrency": trial.concurrency,
        "gap_ns": trial.gap_ns,
        "rate": trial.rate,
        "slo_ns": study.slo.p99 if known(trial.scenario).open_loop else None,
        "affinity": trial.cpus if trial.affinity in KINDS else parse_cpus(trial.affinity),
        "starts": trial.starts,
        "cache": trial.cache,
        "memory_limit_bytes": memory_limit_bytes(trial, target, study),
    }
    if target.backend == "null":
        return Job(backend="null", backend_options=target.backend_options, **common)
    artifact = prepared.artifacts[(trial.model, trial.variant)]
    inputs, stack = prepared.inputs_of(trial.model, trial.batch, trial.shapes)
    common.update(inputs=dict(inputs), stack=stack)
    if study.data is not None:
        judged = study.data.judged(prepared.baseline_of(trial.model, artifact).outputs)
        common["judged"] = judged
        axis = task_of(study.data.task).mask_axis(study.data)
        if axis is not None:
            common["mask"] = dict.fromkeys(judged, axis)
    if target.backend == "torch":
        model = next(m for m in study.models if m.name == trial.model)
        package = Path(profiler.__file__).resolve().parent
        return Job(
            **common,
            backend="torch",
            source=model.torch,
            source_folders=(str(study.folder.resolve()), str(package.parent)),
            seed=study.seed,
            outputs=tuple(output.name for output in artifact.outputs),
        )
    return Job(
        **common,
        backend=target.backend if target.gpu is None else "onnxruntime-gpu",
        gpu=None if target.gpu is None else GpuOptions(**encode(target.gpu)),
        plugin=target.plugin,
        device=target.device,
        artifact=artifact.sha,
        artifact_bytes=artifact.bytes,
        data=artifact.data,
        provider_options={**target.provider_options, **trial.provider_options},
        session_options={**target.session_options, **trial.session_options},
        optimization=trial.optimization,
        arena=trial.arena,
        strict_provider=target.strict_provider,
    )
