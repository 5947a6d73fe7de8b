"""How a device is reached: stage files, start the worker, fetch what it made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from profiler.errors import TransportError
from profiler.schema.device.target import Target
from profiler.transport.base import Transport
from profiler.transport.travel import Tell, Travel, silent

if TYPE_CHECKING:
    from profiler.transport.ssh.transport import SshTransport


def connect(
    target: Target, note: Callable[[str], None] = lambda text: None, tell: Tell = silent
) -> Transport:
    """The transport a target asks for; `note` is told when packages are installed for it and when
    files wait until another run has measured there, `tell` while bytes travel.

    That happens when its worker is started, which raises EnvironmentMissing when they can't be had.
    """
    if target.transport == "ssh":
        return over_ssh(target, Travel(tell, target.name, note=note))
    from profiler.places import cache_folder
    from profiler.transport.environment import environment_for
    from profiler.transport.local import LocalTransport

    cache = cache_folder() / "environments"
    return LocalTransport(install=lambda children: environment_for(target, cache, note, children))


def over_ssh(target: Target, travel: Travel) -> SshTransport:
    """The transport of an ssh target; `travel` is told while bytes travel."""
    from profiler.transport.ssh.transport import SshTransport

    if target.ssh is None:  # as results tell of it
        raise TransportError(
            f"{target.name}: the way to it is not known here",
            hint=f"give the folder that holds targets/{target.name}.toml as working folder",
        )
    return SshTransport(target.ssh, target.python, travel, own_wheels=target.wheels)
