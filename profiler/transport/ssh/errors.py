"""What `ssh` and the device say when something is wrong, as errors which tell what to type.

TransportError
├── PermissionDenied  HostKeyUnknown  HostKeyChanged  NameNotResolved  BadSshConfig
├── NoPython  OldPython  NoSpace  WrongLibc  NoWheels  NoFolder  ShellEnded
└── TransientError
    ├── Unreachable
    ├── LinkLost
    └── NoAnswer
        ├── TimedOut
        └── ShellSilent

ssh ends with 255 for every one of its own failures, so only its words tell them apart. The message
names the device as it is reached and quotes what was said; records keep only why.
"""

from __future__ import annotations

import re
import shlex
from typing import Optional

from profiler.errors import NoAnswer, TransientError, TransportError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.process import last_lines

RETURN = "[[ $- == *i* ]] || return"
LAST_WORDS = 3


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


class ShellEnded(TransportError):
    """The device lets us in, but runs something else than our command."""


class Unreachable(TransientError):
    """Nobody answers at the address."""


class LinkLost(TransientError):
    """The connection broke."""


class TimedOut(NoAnswer):
    """Nobody answers at the address, not even with a refusal."""


class ShellSilent(NoAnswer):
    """The device lets us in, and then nothing happens."""


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


def of(
    kind: type[TransportError], spec: SshSpec, why: str, hint: Optional[str] = None, words: str = ""
) -> TransportError:
    """An error about this device; `words` are its own or ssh's, or a path."""
    said = f": {words}" if words else ""
    return kind(f"{address(spec)}: {why}{said}", hint=hint, kept=why)


def explain(spec: SshSpec, code: Optional[int], stderr: str) -> TransportError:
    """The error that ssh's exit status and words stand for."""
    by_hand = login(spec)
    last = " | ".join(last_lines(stderr, 1))
    for pattern, kind, why, hint, words in (
        (
            r"IDENTIFICATION HAS CHANGED", HostKeyChanged,
            "its host key is not the one you confirmed: another device, or someone in between",
            f"if you reinstalled it: {_forget(spec, stderr)}, then {by_hand}", "",
        ),
        (
            r"Host key verification failed|host key is known", HostKeyUnknown,
            "its host key is not known yet",
            f"{by_hand}, compare the fingerprint with the device's, answer yes", "",
        ),
        (
            r"Permission denied \(|Too many authentication failures|Permissions .* too open",
            PermissionDenied, "permission denied: it accepts none of your keys",
            f"ssh-copy-id {address(spec)}, or set user and identity_file under [ssh];"
            f" it works when {by_hand} asks for nothing", "",
        ),
        (
            r"Could not resolve hostname", NameNotResolved, "this name has no address",
            "set host under [ssh] to its address, or check the name: "
            f"getent hosts {spec.host}", "",
        ),
        (
            r"Bad configuration option|Can't open user config|bad configuration options"
            r"|Bad owner or permissions",
            BadSshConfig, "ssh does not accept your configuration",
            f"it must work by hand: {by_hand}", last,
        ),
        (
            r"(Connection|Operation) timed out", TimedOut, "can't be reached",
            f"is it on, in this network, and runs sshd? try {by_hand}", last,
        ),
        (
            r"Connection refused|No route to host|Network is unreachable",
            Unreachable, "can't be reached",
            f"is it on, in this network, and runs sshd? try {by_hand}", last,
        ),
        (
            r"No space left on device|Disk quota exceeded", NoSpace,
            "no space left on the device"
            + "".join(re.findall(r": [\d.]+ MB are .*free", stderr)[:1]),
            "free some there, or set folder under [ssh] to another disk;"
            " our own files go with: profiler targets clean NAME", "",
        ),
    ):  # fmt: skip
        if found := re.search(pattern, stderr):
            error = of(kind, spec, why, hint, words)
            if kind in (TimedOut, Unreachable):
                error.kept = f"{why}: {found[0]}"
            return error
    words = " | ".join(last_lines(stderr, LAST_WORDS))
    if code is None or code == 255 or code < 0:
        return of(LinkLost, spec, "the connection broke", f"it must hold by hand: {by_hand}", words)
    return of(
        TransportError, spec, f"the command there ended with status {code}", f"try {by_hand}", words
    )


def _forget(spec: SshSpec, stderr: str) -> str:
    """The command that removes a confirmed host key where ssh found it, under the name it has."""
    name = re.search(r"Host key for (\S+) has changed", stderr)
    file = re.search(r"Offending .*key in (.+):\d+", stderr)
    words = ["ssh-keygen", *(["-f", file[1]] if file else []), "-R", name[1] if name else spec.host]
    return shlex.join(words)


def shell_ended(spec: SshSpec, code: Optional[int], said: str) -> TransportError:
    """The device ended our command before it began; `said` is all that it wrote."""
    words = " | ".join(last_lines(said, LAST_WORDS))
    hint = (
        f"{login(spec)} true must end with status 0 and print nothing: see its rc files for an"
        " `exit`, and its sshd_config and authorized_keys for a forced command"
    )
    if re.search("not available|nologin", said):
        hint = f"give this user a shell there: sudo chsh -s /bin/sh {spec.user or 'USER'}"
    elif "sftp connections only" in said:
        hint = "this user may transfer files only: set user under [ssh] to one that has a shell"
    return of(
        ShellEnded, spec,
        f"its login shell did not run our command, it ended with status {code}", hint,
        words or "without a word",
    )  # fmt: skip


def shell_silent(spec: SshSpec, waited_s: float, said: str) -> TransportError:
    """The device let us in, and our command did not begin; `said` is all that it wrote."""
    said = " | ".join(last_lines(said, LAST_WORDS))
    return of(
        ShellSilent, spec,
        f"its login shell did not run our command in {waited_s:g} s: an rc file gets in the way"
        " (it starts another shell, or waits for input)",
        f"{login(spec)} true must end at once; put this at the top of the rc file there"
        f" (~/.bashrc, ~/.zshenv): {RETURN}", f"it printed {said}" if said else "",
    )  # fmt: skip
