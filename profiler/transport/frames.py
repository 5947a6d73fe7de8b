"""How a file travels: frames of at most 1 MiB, raw or compressed, whichever is faster here.

A frame is a kind (one byte), a length (four bytes, big endian) and that many bytes of payload; the
frame END closes the file. `helper.receive` is the other end.

Whether compression pays depends on the content, on both machines' speed and on the link's, of
which the last is known only by sending. So windows of frames are sent and timed. Over a slow link
fewer bytes are always better. Otherwise a raw window is tried, and the faster way is kept.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import BinaryIO

HEADER = struct.Struct(">BI")
RAW, SQUEEZED, END = 0, 1, 2
FRAME_BYTES = 1 << 20
WINDOW_FRAMES = 8
"""8 MiB: several times what pipes and sockets buffer, or the time of a window would mean nothing"""
TRY_AGAIN_WINDOWS = 16
"""Then the content or the load of the machine may have changed."""
SAMPLE_BYTES = 1 << 14
WORTH = 0.9
"""Content that does not shrink below this share travels raw."""
BOUND = 0.5
"""Share of a window spent compressing above which the link is not what limits …"""
FAST_BYTES_PER_S = 20e6
"""… nor is it beyond this rate, where a raw window costs little to try."""


def send(
    file: BinaryIO, write: Callable[[bytes], None], clock: Callable[[], float] = time.perf_counter
) -> None:
    """Send the rest of `file` through `write`, which blocks while the link is full."""
    choice = Choice()
    while True:
        frames = [piece for _ in range(WINDOW_FRAMES) if (piece := file.read(FRAME_BYTES))]
        if not frames:
            write(HEADER.pack(END, 0))
            return
        sample = frames[0][:SAMPLE_BYTES]
        squeeze = choice.next(len(zlib.compress(sample, 1)) / len(sample))
        begin, spent_s = clock(), 0.0
        for frame in frames:
            start = clock()
            payload = zlib.compress(frame, 1) if squeeze else frame
            spent_s += clock() - start
            write(HEADER.pack(SQUEEZED if squeeze else RAW, len(payload)))
            write(payload)
        choice.learn(squeeze, sum(map(len, frames)), clock() - begin, spent_s)


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
        self._windows += 1
        if self._windows % TRY_AGAIN_WINDOWS == 0:
            self._rates.clear()
        squeezed, raw = self._rates.get(True), self._rates.get(False)
        if squeezed is None or not self._bound:
            return True
        return raw is not None and squeezed > raw

    def learn(self, squeeze: bool, content_bytes: int, wall_s: float, spent_s: float) -> None:
        """Take in how a window went; `spent_s` is the part of `wall_s` that compressing took."""
        self._rates[squeeze] = content_bytes / max(wall_s, 1e-9)
        if squeeze:
            self._bound = spent_s > BOUND * wall_s or self._rates[True] > FAST_BYTES_PER_S
