"""How a file travels: in frames, raw or compressed, whichever is faster here.

A frame is a kind (one byte), a length (four bytes, big endian) and that many bytes of payload; the
frame END closes the file. `helper.receive` is the other end.

Whether compression pays depends on the content, on both machines' speed and on the link's, of
which the last is known only by sending. So windows of content are sent and timed. Over a slow link
fewer bytes are always better. Otherwise a raw window is tried, and the faster way is kept. What
was learnt holds for a connection, not for one file.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

HEADER = struct.Struct(">BI")
RAW, SQUEEZED, END = 0, 1, 2
FRAME_BYTES = 1 << 20
"""of content in a compressed frame"""
WINDOW_BYTES = 8 * FRAME_BYTES
"""several times what pipes and sockets buffer, or the time of a window would mean nothing"""
TRY_AGAIN_WINDOWS = 16
"""Then the content or the load of the machine may have changed …"""
HOPELESS = 4.0
"""… but not so much that compressing, once so many times slower than the link, would pay."""
SAMPLE_BYTES = 1 << 14
WORTH = 0.9
"""Content that does not shrink below this share travels raw."""
BOUND = 0.5
"""Share of a window spent compressing above which the link is not what limits …"""
FAST_BYTES_PER_S = 20e6
"""… nor is it beyond this rate, where a raw window costs little to try."""


class Sink(Protocol):
    """Where frames go. Both block while the link is full."""

    def send(self, data: bytes) -> None:
        """Bytes."""

    def pour(self, file: BinaryIO, offset: int, count: int) -> None:
        """So many bytes of a file from `offset`, which need not pass through this process."""


class Choice:
    """Raw or compressed, for the next window, from how the ones before went."""

    def __init__(self) -> None:
        self._rates: dict[bool, float] = {}
        """bytes of content a second, of the last window sent so"""
        self._bound = False
        """whether something else than the link may have limited the last compressed window"""
        self._windows = 0

    def next(self, ratio: float) -> bool:
        """Whether to compress a window whose first bytes shrink to `ratio`."""
        if ratio > WORTH:
            return False
        squeezed, raw = self._rates.get(True), self._rates.get(False)
        self._windows += 1
        if self._windows % TRY_AGAIN_WINDOWS == 0 and not (
            squeezed is not None and raw is not None and raw > HOPELESS * squeezed
        ):
            self._rates.clear()
            return True
        if squeezed is None or not self._bound:
            return True
        return raw is not None and squeezed > raw

    def learn(self, squeeze: bool, content_bytes: int, wall_s: float, spent_s: float) -> None:
        """Take in how a window went; `spent_s` is the part of `wall_s` that compressing took.

        Less than a window says nothing: buffers along the way may have swallowed it.
        """
        if content_bytes < WINDOW_BYTES:
            return
        self._rates[squeeze] = content_bytes / max(wall_s, 1e-9)
        if squeeze:
            self._bound = spent_s > BOUND * wall_s or self._rates[True] > FAST_BYTES_PER_S


def send(
    file: BinaryIO,
    offset: int,
    sink: Sink,
    choice: Choice,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Send a file from `offset` to its end."""
    size = file.seek(0, os.SEEK_END)
    while offset < size:
        count = min(WINDOW_BYTES, size - offset)
        file.seek(offset)
        sample = file.read(SAMPLE_BYTES)
        squeeze = choice.next(len(zlib.compress(sample, 1)) / max(len(sample), 1))
        begin, spent_s = clock(), 0.0
        if squeeze:
            file.seek(offset)
            for at in range(0, count, FRAME_BYTES):
                start = clock()
                payload = zlib.compress(file.read(min(FRAME_BYTES, count - at)), 1)
                spent_s += clock() - start
                sink.send(HEADER.pack(SQUEEZED, len(payload)))
                sink.send(payload)
        else:
            sink.send(HEADER.pack(RAW, count))
            sink.pour(file, offset, count)
        choice.learn(squeeze, count, clock() - begin, spent_s)
        offset += count
    sink.send(HEADER.pack(END, 0))
