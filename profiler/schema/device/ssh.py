"""How a device is reached over SSH: the `[ssh]` table of a target file.

Every value ends up in an argument list of the user's own `ssh`, so each is checked against a narrow
pattern: none can be taken for an option or carry a shell's special characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Optional

from profiler.schema.limits import check, numbers
from profiler.wire.codec import DecodeError

PLACEHOLDER = "CHANGE-ME"
"""The host of a shipped target file: the user writes the own device's address there."""
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")
_JUMP = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._+-]*@)?[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?")


def _check(key: str, value: Optional[str], pattern: re.Pattern[str], expected: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise DecodeError(key, expected, value)


def _check_file(key: str, value: Optional[str]) -> None:
    if value is not None and (not value.startswith(("/", "~/")) or not value.isprintable()):
        raise DecodeError(key, "an absolute path, or one that starts with ~/", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSpec:
    """Where the device is. Anything else belongs into the user's own ssh configuration."""

    host: str
    """a name, an address, or a Host of ~/.ssh/config"""
    user: Optional[str] = None
    port: Optional[int] = field(default=None, metadata=numbers(1, 65_535))
    identity_file: Optional[str] = None
    config_file: Optional[str] = None
    """read instead of ~/.ssh/config"""
    proxy_jump: Optional[str] = None
    """[user@]host[:port], several with commas"""
    folder: str = ".cache/profiler"
    """where our files lie on the device; relative to the home folder there"""

    def __post_init__(self) -> None:
        check(self)
        _check("host", self.host, _HOST, "a host name or an address")
        _check("user", self.user, _USER, "a user name")
        for jump in (self.proxy_jump or "").split(",") if self.proxy_jump is not None else ():
            _check("proxy_jump", jump, _JUMP, "[user@]host[:port]")
        _check_file("identity_file", self.identity_file)
        _check_file("config_file", self.config_file)
        parts = PurePosixPath(self.folder).parts
        named = [part for part in parts if part not in ("/", ".")]
        if not named or ".." in parts or not self.folder.isprintable():
            raise DecodeError("folder", "a folder of our own, without '..'", self.folder)
        if self.folder.startswith(("-", "~")):
            raise DecodeError("folder", "an absolute path, or one relative to home", self.folder)

    @classmethod
    def from_address(cls, address: str) -> SshSpec:
        """`[user@]host[:port]` as typed on the command line. Raises DecodeError."""
        user, at, rest = address.rpartition("@")
        host, colon, port = rest.partition(":")
        if colon and not re.fullmatch("[0-9]{1,9}", port):
            host, port = rest, ""  # an IPv6 address
        return cls(host=host, user=user if at else None, port=int(port) if port else None)
