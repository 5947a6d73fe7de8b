"""How a device is reached: stage files, start the worker, fetch what it made."""

from __future__ import annotations

from profiler.schema.target import Target
from profiler.transport.base import Transport


def connect(target: Target) -> Transport:
    """The transport a target asks for."""
    if target.ssh is not None:
        from profiler.transport.ssh import SshTransport

        return SshTransport(target.ssh, target.python)
    from profiler.transport.local import LocalTransport

    return LocalTransport(target.python)
