"""The device's end of a protocol stream, made safe against whatever else writes to it.

The protocol descriptors are duplicated first; then fd 1 is pointed at fd 2 and fd 0 at /dev/null,
so that a banner, a `print` or a C library can neither corrupt nor read the stream.
"""

from __future__ import annotations

import os
from typing import Any, Optional

from profiler.wire.lines import LineReader, pack


class Channel:
    """A pair of descriptors that carry marked JSON lines."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._write_fd = write_fd
        self._reader = LineReader(read_fd)

    @classmethod
    def take_over_stdio(cls) -> Channel:
        """Claim stdin and stdout for the protocol; stray output goes to stderr from now on."""
        read_fd, write_fd = os.dup(0), os.dup(1)
        os.set_inheritable(read_fd, False)
        os.set_inheritable(write_fd, False)
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        return cls(read_fd, write_fd)

    def send(self, message: dict[str, Any]) -> None:
        """Write one message whole. Raises BrokenPipeError when nobody listens any more."""
        data = memoryview(pack(message))
        while data:
            data = data[os.write(self._write_fd, data) :]

    def receive(self, timeout_s: Optional[float] = None) -> dict[str, Any]:
        """The next message. Raises EndOfStream or Silence."""
        return self._reader.read(timeout_s)
