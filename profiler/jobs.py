"""From a planned trial to what the device is told of it."""

from __future__ import annotations

from typing import Optional

from profiler.prepare import Prepared
from profiler.schema.plan import Trial
from profiler.schema.target import Target
from profiler.schema.wire import Job


def make_job(
    trial: Trial, target: Target, prepared: Prepared, *, memory_limit_bytes: Optional[int] = None
) -> Job:
    """The job of one trial on its target."""
    if target.backend == "null":
        return Job(trial=trial.id, backend="null", provider="null")
    artifact = prepared.artifacts[(trial.model, trial.variant)]
    inputs, stack = prepared.inputs_of(trial.model, trial.batch)
    return Job(
        trial=trial.id,
        backend=target.backend,
        provider=trial.provider,
        artifact=artifact.sha,
        artifact_bytes=artifact.bytes,
        provider_options=target.provider_options,
        session_options=target.session_options,
        strict_provider=target.strict_provider,
        threads=trial.threads,
        scenario=trial.scenario,
        batch=trial.batch,
        inputs=dict(inputs),
        stack=stack,
        memory_limit_bytes=memory_limit_bytes,
    )
