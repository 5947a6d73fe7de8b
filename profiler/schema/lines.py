"""Framing of the protocol: one JSON object a line, each line opened by a marker.

Used on both ends and between supervisor and runner. Anything on the stream that does not begin
with the marker (a login banner, a stray print) is skipped. Python 3.9 source: travels to devices.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections import deque
from typing import Any, Optional

from profiler.schema.wire import MARKER

_MARK = MARKER.encode()
LINE_LIMIT_BYTES = 64 * 2**20


class EndOfStream(Exception):
    """The other side closed the stream (it ended, or was killed)."""


class Silence(Exception):
    """Nothing arrived within the timeout."""


def pack(message: dict[str, Any]) -> bytes:
    """One protocol line, newline included."""
    return _MARK + json.dumps(message, separators=(",", ":")).encode() + b"\n"


class LineReader:
    """Reads marked lines from a file descriptor, with a timeout on every read."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._partial = b""
        self._ready: deque[dict[str, Any]] = deque()
        self.skipped: deque[str] = deque(maxlen=50)
        """the latest lines that were not ours, for error messages"""

    def read(self, timeout_s: Optional[float]) -> dict[str, Any]:
        """The next message. Raises EndOfStream or Silence."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ready:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Silence
            readable, _, _ = select.select([self._fd], [], [], left)
            if readable:
                self._take(os.read(self._fd, 1 << 16))
        return self._ready.popleft()

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            raise EndOfStream
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > LINE_LIMIT_BYTES:
            raise EndOfStream
        for line in lines:
            head, mark, body = line.partition(_MARK)
            if not mark:
                self.skipped.append(line.decode(errors="replace"))
                continue
            if head:
                self.skipped.append(head.decode(errors="replace"))
            try:
                message = json.loads(body)
            except ValueError:
                self.skipped.append(line.decode(errors="replace"))
                continue
            if isinstance(message, dict):
                self._ready.append(message)
