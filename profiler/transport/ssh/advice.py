"""What the user's own OpenSSH knows beyond the words of a failure; asked only after one.

With a connection that persists, `ssh` sends the words of a jump host to nowhere: they are asked for
again without it. Whether a key needs a passphrase is never said in batch mode.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Optional

from profiler.errors import TransportError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.children import Children
from profiler.transport.ssh import errors as ssh_errors

_LOCAL_S = 5.0
_AGAIN_S = 10.0
_PROXY_GONE = r"^(kex_exchange_identification|banner exchange|Connection (closed|reset) by)"
_FORBIDDEN = r"administratively prohibited"
_BEYOND = r"open failed: connect failed: (.*)"

CommandLine = Callable[[str], list[str]]
"""(what the login shell gets) -> the argument list of an `ssh` without a shared connection"""


def better(
    error: TransportError, spec: SshSpec, line: CommandLine, children: Children
) -> TransportError:
    """The same failure as its cause, where that can be found out; else `error` itself."""
    if isinstance(error, ssh_errors.PermissionDenied):
        return _locked_key(spec, line, children) or error
    if isinstance(error, ssh_errors.LinkLost):
        return _jump(spec, line, children) or error
    if isinstance(error, ssh_errors.TimedOut) and (jump := _way(spec, line, children)):
        return ssh_errors.of(
            ssh_errors.TimedOut, spec, "no answer on the way through its jump host",
            f"is it on, and the device behind it? try ssh {jump}", jump,
        )  # fmt: skip
    return error


def settings(spec: SshSpec, line: CommandLine, children: Children) -> list[tuple[str, str]]:
    """What ssh makes of the target file and the user's configuration: (keyword, value)."""
    ssh, *rest = line("")
    said = _said([ssh, "-G", *rest[:-1]], children)
    return [(key, value) for key, _, value in (text.partition(" ") for text in said.splitlines())]


def _said(command: Sequence[str], children: Children, timeout_s: float = _LOCAL_S) -> str:
    try:
        return children.run(command, timeout_s).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _way(spec: SshSpec, line: CommandLine, children: Children) -> str:
    """The jump host (or ProxyCommand) that leads to a device; "" where none does."""
    known = dict(settings(spec, line, children))
    way = known.get("proxyjump") or known.get("proxycommand", "none")
    return "" if way == "none" else way


def _jump(spec: SshSpec, line: CommandLine, children: Children) -> Optional[TransportError]:
    """What went wrong on the way through a jump host."""
    jump = _way(spec, line, children)
    if not jump:
        return None
    said = [text.strip() for text in _said(line("true"), children, _AGAIN_S).splitlines()]
    words = "\n".join(text for text in said if text and not re.match(_PROXY_GONE, text))
    if not words:
        return None
    hint = f"it must work by hand: {ssh_errors.login(spec)}"
    if re.search(_FORBIDDEN, words):
        why = "forbids forwarding (AllowTcpForwarding in its sshd_config)"
    elif beyond := re.search(_BEYOND, words):
        return ssh_errors.of(
            ssh_errors.Unreachable, spec, "can't be reached from its jump host", hint,
            f"{jump} says {beyond[1]}",
        )  # fmt: skip
    else:
        first = ssh_errors.explain(spec, 255, words)
        if isinstance(first, ssh_errors.HostKeyChanged):
            hint = first.hint or hint
        return ssh_errors.of(
            type(first), spec, "the way through its jump host fails", hint,
            f"{jump}: {' | '.join(words.splitlines()[-3:])}",
        )  # fmt: skip
    return ssh_errors.of(ssh_errors.ShellEnded, spec, f"its jump host {why}", hint, jump)


def _locked_key(spec: SshSpec, line: CommandLine, children: Children) -> Optional[TransportError]:
    """A key with a passphrase that no agent holds: in batch mode ssh passes it over in silence."""
    held = _said(["ssh-add", "-L"], children)
    for keyword, value in settings(spec, line, children):
        path = Path(value).expanduser()
        if keyword != "identityfile" or not path.is_file():
            continue
        public = path.with_name(f"{path.name}.pub")
        parts = public.read_text(errors="replace").split() if public.is_file() else []
        if len(parts) > 1 and parts[1] in held:
            continue
        said = _said(["ssh-keygen", "-y", "-P", "", "-f", str(path)], children)
        if "incorrect passphrase" in said:
            agent = "" if "ssh-" in held or "no identities" in held else 'eval "$(ssh-agent)"; '
            return ssh_errors.of(
                ssh_errors.PermissionDenied, spec,
                "permission denied: your key has a passphrase and no agent holds it",
                f"{agent}ssh-add {shlex.quote(str(path))}, then the same command again", value,
            )  # fmt: skip
    return None
