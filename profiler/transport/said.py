"""What the helper and the shell on a device say, typed: nothing else is listened to."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field
from typing import Optional

from profiler.errors import TransportError
from profiler.units import format_elapsed
from profiler.wire.codec import DecodeError
from profiler.wire.outside import TEXT_LIMIT, one_line

_WORD = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(\.\d{1,5})?")
_MOST_BYTES = 2**50


def _words(text: str) -> str:
    return one_line(text[:TEXT_LIMIT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The device's interpreter; its words become options of pip."""

    python: tuple[int, ...]
    architecture: str
    libc: tuple[str, ...]
    """name and version, both empty where it is not glibc"""
    abi: str
    implementation: str = "cpython"

    def __post_init__(self) -> None:
        if len(self.python) != 3 or not all(0 <= n < 1000 for n in self.python):
            raise DecodeError("python", "three numbers", list(self.python))
        if len(self.libc) != 2 or (
            self.libc[0] == "glibc" and not _VERSION.fullmatch(self.libc[1])
        ):
            raise DecodeError("libc", "a name and a version", list(self.libc))
        for name in ("architecture", "abi", "implementation"):
            if not _WORD.fullmatch(getattr(self, name)):
                raise DecodeError(name, "a word", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Who works in our folder on the device, as far as it is known there."""

    pid: Optional[int] = None
    for_s: Optional[float] = None

    def who(self) -> str:
        """' (pid 12 there, for 3 min)', or nothing."""
        if self.pid is None:
            return ""
        age = "" if self.for_s is None else f", for {format_elapsed(self.for_s)}"
        return f" (pid {self.pid} there{age})"

    def turns(self) -> str:
        """What is said while we wait until another run has measured."""
        return f"another profiler run is measuring on this device{self.who()}: taking turns with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of the helper; which keys it has depends on the operation."""

    have: bool = False
    """receive: the file is there already"""
    offset: Optional[int] = None
    """receive: how much of it is"""
    got: Optional[int] = None
    """receive, unpack: so many bytes so far, said again and again"""
    size: Optional[int] = None
    """send, unpack: so many bytes will come of it"""
    damaged: bool = False
    data: Optional[str] = None
    """send: a piece, squeezed, in base64"""
    done: bool = False
    waiting: Optional[Busy] = None
    """receive, unpack: another run is measuring, said again and again"""
    busy: Optional[Busy] = None
    """clean: nothing was removed, somebody uses it"""
    failed: Optional[str] = None
    """probe: python, foreign or folder"""
    error: Optional[str] = field(default=None, metadata={"parse": _words})
    errno: Optional[int] = None

    def __post_init__(self) -> None:
        for name in ("offset", "got", "size"):
            count = getattr(self, name)
            if count is not None and not 0 <= count <= _MOST_BYTES:
                raise DecodeError(name, "a number of bytes", count)


def refuse_while(busy: Optional[Busy], where: str) -> None:
    """Raise TransportError where our folder is in use."""
    if busy is None:
        return
    raise TransportError(
        f"{where}: a profiler run is at work there{busy.who()}; nothing was removed",
        hint="let it end, or stop it with Ctrl-C (what it recorded stays); then clean",
    )


def piece(data: str, limit_bytes: int) -> bytes:
    """The content of a piece, which is not empty. Raises DecodeError."""
    try:
        stream = zlib.decompressobj()
        found = stream.decompress(base64.b64decode(data, validate=True), limit_bytes + 1)
    except (zlib.error, binascii.Error, ValueError):
        raise DecodeError("data", "a whole piece of a file", "a damaged one") from None
    if not found or len(found) > limit_bytes:
        raise DecodeError("data", f"1 to {limit_bytes} bytes", len(found))
    return found
