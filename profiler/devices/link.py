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

from profiler.devices.session import Session
from profiler.transport.ssh.frames import FAST_BYTES_PER_S
from profiler.transport.travel import Travel

TRIPS = 7
SENT_BYTES = 1_000_000
LEAST_S = 0.02
"""Less is the time of buffers and of starting, not of a link."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`bytes_per_s` is None where a megabyte is too little to tell: more than 50 MB/s."""

    round_trip_s: float
    bytes_per_s: Optional[float]

    def seconds(self, count: int) -> float:
        """What so many bytes take, at the most where the rate is not known."""
        return count / (self.bytes_per_s or SENT_BYTES / LEAST_S)


def measure(session: Session, travel: Travel, clock: Callable[[], float] = time.monotonic) -> Link:
    """Ask for nothing a few times, then send random bytes, which nothing compresses.

    `travel` is told of the session's transfers: from the moment when the device is ready for one,
    to its word that it has all. Raises TransportError, WorkerError.
    """
    trips = []
    for _ in range(TRIPS):
        begun_s = clock()
        session.missing([])
        trips.append(clock() - begun_s)
    trip_s = statistics.median(trips)
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder) / "random", os.urandom(SENT_BYTES)
        file.write_bytes(data)
        try:
            session.stage([file], {file: "1 MB to measure the link"})
            spent_s = clock() - travel.begun_s - trip_s
        finally:
            session.forget([hashlib.sha256(data).hexdigest()])
    rate = SENT_BYTES / spent_s if spent_s >= LEAST_S else None
    return Link(round_trip_s=trip_s, bytes_per_s=rate)


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
