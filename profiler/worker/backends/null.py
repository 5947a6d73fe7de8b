"""The null backend: no model, so that what is measured is the harness itself.

`sleep_ns` and `spin_ns` make queries of a known length. The faults rehearse what a broken model
or device does: `crash_at`, `hang_at` and `allocate_at` name the query at which it happens. At query
`spike_at` the process holds `spike_bytes` more for as long as it takes to touch their pages.
"""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from profiler.wire.messages import Job, Placement


def spike(size: int) -> None:
    """Map `size` bytes, touch every page once and give them back: a peak known to the page."""
    with mmap.mmap(-1, size) as pages:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):  # huge pages would round the size up
            with suppress(OSError):  # a kernel without them
                pages.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, size, mmap.PAGESIZE):
            pages[offset] = 1


class NullBackend:
    """Issues queries that do nothing, sleep, spin, or fail on purpose."""

    providers: tuple[str, ...] = ("null",)

    def load(self, job: Job, model: Optional[Path]) -> None:
        options = job.backend_options
        self._sleep_s = options.get("sleep_ns", 0.0) / 1e9
        self._spin_ns = int(options.get("spin_ns", 0))
        self._crash_at = int(options.get("crash_at", -1))
        self._hang_at = int(options.get("hang_at", -1))
        self._allocate_at = int(options.get("allocate_at", -1))
        self._spike_at = int(options.get("spike_at", -1))
        self._spike_bytes = int(options.get("spike_bytes", 0))
        self._count = 0
        self._plain = not any((self._sleep_s, self._spin_ns, *self._faults()))

    def _faults(self) -> tuple[bool, ...]:
        named = (self._crash_at, self._hang_at, self._allocate_at, self._spike_at)
        return tuple(at >= 0 for at in named)

    def placement(self) -> Optional[Placement]:
        return None

    def bind(self, rows: dict[str, Any], batch: int, stack: bool, lanes: int) -> None:
        return

    def prepare(self) -> None:
        return

    def _query(self, _index: int) -> None:
        self._count += 1
        if self._count - 1 == self._crash_at:
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._count - 1 == self._hang_at:
            time.sleep(10**6)
        if self._count - 1 == self._allocate_at:
            held = [b"x" * 2**27 for _ in range(4096)]  # written, so really resident
            del held
        if self._count - 1 == self._spike_at:
            spike(self._spike_bytes)
        if self._sleep_s:
            time.sleep(self._sleep_s)
        if self._spin_ns:
            end = time.perf_counter_ns() + self._spin_ns
            while time.perf_counter_ns() < end:
                pass

    def _nothing(self, _index: int) -> None:
        return

    def asker(self) -> Callable[[int], object]:
        return self._query

    def timed(self, first: int, out: Any) -> None:
        clock = time.perf_counter_ns
        query = self._nothing if self._plain else self._query
        for i in range(len(out)):
            start = clock()
            query(i)
            out[i] = clock() - start

    def end_trace(self) -> bytes:
        raise RuntimeError("the null backend has no operators to trace")

    def predict(self, rows: dict[str, Any], batch: int, stack: bool) -> dict[str, Any]:
        return {}

    def call(self, feed: dict[str, Any]) -> dict[str, Any]:
        return {}
