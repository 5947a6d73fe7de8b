"""Which processes can hold the yardstick: a small ONNX model that runs on one thread of the CPU."""

from __future__ import annotations

from collections.abc import Iterable

from profiler.schema.device.target import Target
from profiler.wire import providers, scenarios
from profiler.wire.messages import Job


def fits(target: Target) -> bool:
    """Whether a yardstick tells of the target: of a GPU it would tell how fast its host is."""
    return target.backend == "onnxruntime" and providers.known(target.provider).on_cpu


def choose_host(jobs: Iterable[Job], reference: str) -> str | None:
    """The trial in whose process the yardstick lives; None where it can't live in any.

    The group's reference, if it keeps to one thread; else another that does; else any. Cold starts
    leave no process, and in a process of limited memory it would take a part of that.
    """
    hosts = [job for job in jobs if _can(job)]
    hosts.sort(key=lambda job: (job.threads > 1 or job.concurrency > 1, job.trial != reference))
    return hosts[0].trial if hosts else None


def _can(job: Job) -> bool:
    device = job.device or job.provider_options.get("device_type", "CPU")
    return (
        job.backend == "onnxruntime"
        and providers.known(job.provider).on_cpu
        and device == "CPU"
        and not scenarios.known(job.scenario).fresh
        and job.memory_limit_bytes is None
    )
