"""Open-loop load: queries arrive on a schedule, whether or not the earlier ones are done.

Latency runs from the *scheduled* arrival, so a stall delays every query behind it instead of
silently pausing the load (coordinated omission; Tene 2013, wrk2 and LoadGen count the same way).
"""

from __future__ import annotations

import ctypes
import itertools
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.worker.measuring.lanes import side_by_side

_PR_SET_TIMERSLACK = 29
_SPIN_NS = 150_000
"""The last part of a wait is spun: a sleeping thread wakes tens of microseconds late."""


def sharpen_timers() -> None:
    """Ask for the least timer slack of this thread (prctl; ignored where there is none)."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return


def wait_until(at_ns: int) -> None:
    """Sleep, then spin, until the clock shows `at_ns`. The spin yields, so other lanes run."""
    clock = time.perf_counter_ns
    left = at_ns - clock()
    if left > _SPIN_NS:
        time.sleep((left - _SPIN_NS) / 1e9)
    while clock() < at_ns:
        time.sleep(0)


@dataclass(frozen=True)
class Served:
    """What happened to each arrival, in the order of arrival."""

    latencies: array[int]
    """from scheduled arrival to answer"""
    services: array[int]
    """how long each query kept its lane: from its issue until the next could be issued"""
    lateness: array[int]
    """how late the driver issued the query although a lane was free"""
    wall_ns: int
    """from the scheduled arrival before the first counted one to the last answer: as many gaps
    between arrivals as there are counted queries"""


def serve(
    query: Callable[[int, int], None],
    due: Sequence[int],
    lanes: int,
    *,
    warm: int = 1,
    begin: Callable[[], None] = lambda: None,
) -> Served:
    """Serve a schedule first come, first served, with `lanes` threads.

    query(lane, number) issues one query; calls of one lane never overlap. The first `warm` queries,
    one at least, don't count; begin() is called just before the last of them is awaited. Raises
    what a query raises.
    """
    count = len(due)
    latencies, services, lateness = (array("q", bytes(8 * count)) for _ in range(3))
    tickets = itertools.count()
    clock = time.perf_counter_ns
    start = clock() + 2_000_000

    def lane_loop(lane: int) -> None:
        sharpen_timers()
        free = start
        while True:
            ticket = next(tickets)
            if ticket >= count:
                return
            if ticket == warm - 1:
                begin()
            at = start + due[ticket]
            wait_until(at)
            begun = clock()
            query(lane, ticket)
            end = clock()
            latencies[ticket] = end - at
            lateness[ticket] = begun - max(at, free)
            free = clock()
            services[ticket] = free - begun

    side_by_side(lanes, lane_loop)
    return Served(latencies, services, lateness, clock() - start - due[warm - 1])
