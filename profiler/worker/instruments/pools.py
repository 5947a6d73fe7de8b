"""Pools of threads: who has one, and whether it is stopped while others are measured."""

from __future__ import annotations

from profiler.wire import providers, scenarios
from profiler.wire.messages import Job


def on_cpu(job: Job) -> bool:
    """Whether the job computes on the processor."""
    device = job.device or job.provider_options.get("device_type", "CPU")
    return providers.known(job.provider).on_cpu and device == "CPU" and job.gpu is None


def stopped_between(job: Job) -> bool:
    """Whether this job's runner is stopped between its blocks (SIGSTOP).

    ONNX Runtime's pool of threads spins for about 40 ms after a query. To wait for its end took
    four times as long as a block of 10 ms does.
    """
    return job.threads > 1 and on_cpu(job) and not scenarios.known(job.scenario).fresh
