"""Framing of the protocol: one JSON object a line, each line opened by a marker.

Used on both ends and between supervisor and runner. Anything on the stream that does not begin
with the marker (a login banner, a stray print) is skipped. Nothing that arrives can do more than
raise: lines are bounded, and so is how deep they nest. Python 3.8 source: travels to devices.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from typing import Any, Optional

from profiler.wire.messages import MARKER

_MARK = MARKER.encode()
LINE_LIMIT_BYTES = 64 * 2**20
DEPTH_LIMIT = 32
"""Our deepest message nests a third of that."""
_SKIPPED_BYTES = 1000
"""that are kept of a line which is not ours"""


class EndOfStream(Exception):
    """The other side closed the stream (it ended, or was killed)."""


class Silence(Exception):
    """Nothing arrived within the timeout."""


class Garbled(Exception):
    """A line that is marked as ours and is no message, or is longer than any message."""


def pack(message: dict[str, Any]) -> bytes:
    """One protocol line, newline included."""
    return _MARK + json.dumps(message, separators=(",", ":")).encode() + b"\n"


class LineReader:
    """Reads marked lines from a file descriptor, with a timeout on every read."""

    def __init__(self, fd: int, strict: bool = False) -> None:
        """`strict`: a marked line that is no message raises Garbled, for who waits for an answer;
        else it is skipped."""
        self._fd, self._strict = fd, strict
        self._partial = bytearray()
        self._ready: deque[dict[str, Any]] = deque()
        self._garbled: Optional[str] = None
        self.skipped: deque[str] = deque(maxlen=50)
        """the beginnings of the latest lines that were not ours"""

    def said(self) -> str:
        """What came last that is no message, with a line that is not ended, such as a prompt."""
        last = self._partial[:_SKIPPED_BYTES].decode(errors="replace")
        return "\n".join([*self.skipped, last]).strip()

    def read(self, timeout_s: Optional[float]) -> dict[str, Any]:
        """The next message; with a timeout of 0 one that is there. Raises EndOfStream, Silence or
        Garbled."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        looked = False
        while not self._ready:
            if self._garbled is not None:
                raise Garbled(self._garbled)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if left == 0.0 and looked:
                raise Silence
            looked = True
            readable, _, _ = select.select([self._fd], [], [], left)
            if readable:
                self._take(os.read(self._fd, 1 << 16))
        return self._ready.popleft()

    def back(self, message: dict[str, Any]) -> None:
        """The next `read` gives it again."""
        self._ready.appendleft(message)

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            raise EndOfStream
        first, *more = chunk.split(b"\n")
        self._partial += first
        for rest in more:
            self._line(bytes(self._partial))
            self._partial = bytearray(rest)
        if len(self._partial) > LINE_LIMIT_BYTES:
            self._partial = bytearray()
            self._garbled = f"a line longer than {LINE_LIMIT_BYTES >> 20} MiB"

    def _line(self, line: bytes) -> None:
        head, mark, body = line.partition(_MARK)
        if head or not mark:
            self._skip(head)
        if not mark:
            return
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and (not self._strict or _flat(body, message)):
            self._ready.append(message)
            return
        self._skip(line)
        if self._strict:
            self._garbled = "a line that is no message"

    def _skip(self, line: bytes) -> None:
        self.skipped.append(line[:_SKIPPED_BYTES].decode(errors="replace"))


def _flat(body: bytes, message: dict[str, Any]) -> bool:
    """Whether a message nests no deeper than any of ours; few brackets can't."""
    return body.count(b"[") + body.count(b"{") <= DEPTH_LIMIT or _within(message, DEPTH_LIMIT)


def _within(value: Any, most: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return most > 0 and all(_within(item, most - 1) for item in value)
