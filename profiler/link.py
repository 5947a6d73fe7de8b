"""How fast the way to a device is, asked with one megabyte that is removed there afterwards."""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from profiler.session import Session
from profiler.transport.frames import FAST_BYTES_PER_S

TRIPS = 7
SMALL_BYTES, LARGE_BYTES = 1_000, 1_000_000
LEAST_S = 0.02
"""What a megabyte must take beyond a kilobyte, or the rate is that of buffers."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`bytes_per_s` is None where a megabyte is too little to tell: more than 50 MB/s."""

    round_trip_s: float
    bytes_per_s: Optional[float]

    def seconds(self, count: int) -> float:
        """What so many bytes take, at the most where the rate is not known."""
        return count / (self.bytes_per_s or LARGE_BYTES / LEAST_S)


def measure(session: Session, clock: Callable[[], float] = time.perf_counter) -> Link:
    """Ask for nothing a few times, then send random bytes, which nothing compresses.

    A transfer takes a start there, too; the first kilobyte's is warm-up, the second one's is taken
    off. Raises TransportError, WorkerError.
    """
    trips = []
    for _ in range(TRIPS):
        begun_s = clock()
        session.missing([])
        trips.append(clock() - begun_s)
    spent_s: list[float] = []
    sent: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for size in (SMALL_BYTES, SMALL_BYTES, LARGE_BYTES):
                file = Path(folder) / str(len(sent))
                data = os.urandom(size)
                file.write_bytes(data)
                sent.append(hashlib.sha256(data).hexdigest())
                begun_s = clock()
                session.stage([file], {file: "1 MB to measure the link"})
                spent_s.append(clock() - begun_s)
        finally:
            session.forget(sent)
    beyond_s = spent_s[2] - spent_s[1]
    rate = (LARGE_BYTES - SMALL_BYTES) / beyond_s if beyond_s >= LEAST_S else None
    return Link(round_trip_s=statistics.median(trips), bytes_per_s=rate)


def travelling_bytes(file: Path, link: Link) -> int:
    """What of a file goes over the link: over a slow one it is compressed on its way."""
    size = file.stat().st_size
    if link.bytes_per_s is None or link.bytes_per_s > FAST_BYTES_PER_S:
        return size
    squeezed = 0
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            squeezed += len(zlib.compress(piece, 1))
    return min(size, squeezed)
