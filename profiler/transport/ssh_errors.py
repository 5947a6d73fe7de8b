"""What `ssh` and the device say when something is wrong, as errors which tell what to type.

TransportError
├── PermissionDenied  HostKeyUnknown  HostKeyChanged  NameNotResolved  BadSshConfig
├── NoPython  OldPython  NoSpace  WrongLibc  NoWheels  NoFolder
└── TransientError
    ├── Unreachable
    └── LinkLost

ssh ends with 255 for every one of its own failures, so only its words tell them apart.
"""

from __future__ import annotations

import re
from typing import Optional

from profiler.errors import TransientError, TransportError
from profiler.schema.ssh import SshSpec
from profiler.transport.process import last_lines


class PermissionDenied(TransportError):
    """The device refuses the key or the user."""


class HostKeyUnknown(TransportError):
    """The device's key was never confirmed by the user."""


class HostKeyChanged(TransportError):
    """The device shows another key than the one the user confirmed."""


class NameNotResolved(TransportError):
    """The host's name has no address."""


class BadSshConfig(TransportError):
    """The user's own ssh configuration is wrong."""


class NoPython(TransportError):
    """The device has no such interpreter."""


class OldPython(TransportError):
    """The device's interpreter is older than the worker needs."""


class NoSpace(TransportError):
    """The device's disk is full."""


class WrongLibc(TransportError):
    """No wheels exist for the device's C library."""


class NoWheels(TransportError):
    """No wheels exist for the device's processor or interpreter."""


class NoFolder(TransportError):
    """Our folder on the device can't be made."""


class Unreachable(TransientError):
    """Nobody answers at the address."""


class LinkLost(TransientError):
    """The connection broke."""


def address(spec: SshSpec) -> str:
    """user@host as a person types it."""
    return f"{spec.user}@{spec.host}" if spec.user else spec.host


def login(spec: SshSpec) -> str:
    """The command by which the user reaches the device."""
    parts = ["ssh"]
    for flag, value in (
        ("-F", spec.config_file), ("-i", spec.identity_file), ("-J", spec.proxy_jump),
        ("-p", spec.port),
    ):  # fmt: skip
        if value is not None:
            parts += [flag, str(value)]
    return " ".join([*parts, address(spec)])


def _of(kind: type[TransportError], spec: SshSpec, why: str, hint: str) -> TransportError:
    return kind(f"{address(spec)}: {why}", hint=hint)


def explain(spec: SshSpec, code: Optional[int], stderr: str) -> TransportError:
    """The error that ssh's exit status and words stand for."""
    by_hand = login(spec)
    for pattern, kind, why, hint in (
        (
            r"IDENTIFICATION HAS CHANGED", HostKeyChanged,
            "its host key is not the one you confirmed: another device, or someone in between",
            f"if you reinstalled it: ssh-keygen -R {spec.host}, then {by_hand}",
        ),
        (
            r"Host key verification failed|host key is known", HostKeyUnknown,
            "its host key is not known yet",
            f"{by_hand}, compare the fingerprint with the device's, answer yes",
        ),
        (
            r"Permission denied \(|Too many authentication failures|Permissions .* too open",
            PermissionDenied, "permission denied: it accepts none of your keys",
            f"ssh-copy-id {address(spec)}, or set user and identity_file under [ssh];"
            f" it works when {by_hand} asks for nothing",
        ),
        (
            r"Could not resolve hostname", NameNotResolved, "this name has no address",
            "set host under [ssh] to its address, or check the name: "
            f"getent hosts {spec.host}",
        ),
        (
            r"Bad configuration option|Can't open user config|bad configuration options"
            r"|Bad owner or permissions",
            BadSshConfig, "ssh does not accept your configuration: "
            + " | ".join(last_lines(stderr, 1)), f"it must work by hand: {by_hand}",
        ),
        (
            r"Connection refused|No route to host|Network is unreachable"
            r"|(Connection|Operation) timed out|Connection timed out during banner exchange",
            Unreachable, "can't be reached: " + " | ".join(last_lines(stderr, 1)),
            f"is it on, in this network, and runs sshd? try {by_hand}",
        ),
        (
            r"No space left on device|Disk quota exceeded", NoSpace,
            "no space left on the device"
            + "".join(re.findall(r": [\d.]+ MB are .*free", stderr)[:1]),
            "free some there, or set folder under [ssh] to another disk;"
            " our own files go with: profiler targets clean NAME",
        ),
    ):  # fmt: skip
        if re.search(pattern, stderr):
            return _of(kind, spec, why, hint)
    words = " | ".join(last_lines(stderr))
    if code is None or code == 255 or code < 0:
        return _of(
            LinkLost, spec, f"the connection broke{': ' + words if words else ''}",
            f"it must hold by hand: {by_hand}",
        )  # fmt: skip
    return _of(
        TransportError, spec, f"the command there ended with status {code}: {words}".rstrip(": "),
        f"try {by_hand}",
    )  # fmt: skip
