"""The line that runs a command on a device with the user's own OpenSSH client."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from profiler.schema.device.ssh import SshSpec

CONNECT_TIMEOUT_S = 15
OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={CONNECT_TIMEOUT_S}",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "StrictHostKeyChecking=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
)


def command_line(spec: SshSpec, control: Optional[Path], command: str) -> list[str]:
    """The argument list that hands `command` to the login shell of the device."""
    line = ["ssh"]
    if spec.config_file is not None:
        line += ["-F", str(Path(spec.config_file).expanduser())]
    for option in OPTIONS:
        line += ["-o", option]
    if control is not None:
        line += ["-o", "ControlMaster=auto", "-o", "ControlPersist=30", "-S", str(control)]
    else:
        line += ["-o", "ControlMaster=no", "-S", "none"]
    line += ["-T", "-x"]
    if spec.port is not None:
        line += ["-p", str(spec.port)]
    if spec.identity_file is not None:
        line += ["-i", str(Path(spec.identity_file).expanduser())]
    if spec.proxy_jump is not None:
        line += ["-J", spec.proxy_jump]
    if spec.user is not None:
        line += ["-l", spec.user]
    return [*line, "--", spec.host, command]
