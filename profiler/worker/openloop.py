"""Open-loop load: queries arrive on a schedule, whether or not the earlier ones are done.

Latency runs from the *scheduled* arrival, so a stall delays every query behind it instead of
silently pausing the load (coordinated omission; Tene 2013, wrk2 and LoadGen count the same way).
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import random
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_PR_SET_TIMERSLACK = 29
_SPIN_NS = 150_000
"""The last part of a wait is spun: a sleeping thread wakes tens of microseconds late."""
WARM_SHARE = 0.1
"""Arrivals at the head of a segment that fill the empty queue and are not recorded."""


def poisson_arrivals(rate: float, count: int, seed: int) -> array[int]:
    """`count` arrival times in ns from 0 of a Poisson process with `rate` a second."""
    generator = random.Random(seed)
    due, now = array("q"), 0.0
    for _ in range(count):
        now += generator.expovariate(rate) * 1e9
        due.append(int(now))
    return due


@lru_cache(maxsize=32)
def _unit_arrivals(count: int, seed: int) -> array[int]:
    """One arrival a second in the mean; every trial's rounds are replayed on the same streams."""
    return poisson_arrivals(1.0, count, seed)


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


def serve(query: Callable[[int, int], None], due: Sequence[int], lanes: int) -> Served:
    """Serve a schedule first come, first served, with `lanes` threads.

    query(lane, number) issues one query; calls of one lane never overlap.
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
            at = start + due[ticket]
            wait_until(at)
            begun = clock()
            query(lane, ticket)
            end = clock()
            latencies[ticket] = end - at
            lateness[ticket] = begun - max(at, free)
            free = clock()
            services[ticket] = free - begun

    threads = [threading.Thread(target=lane_loop, args=(lane,)) for lane in range(1, lanes)]
    for thread in threads:
        thread.start()
    lane_loop(0)
    for thread in threads:
        thread.join()
    return Served(latencies, services, lateness, clock() - start)


def replay(services: Sequence[int], due: Sequence[int], lanes: int) -> list[int]:
    """Latencies of a first-come-first-served queue with these service times (Lindley 1952).

    Service times are taken in their measured order, cyclically, so that bursts stay bursts.
    """
    free = [0] * lanes
    heapq.heapify(free)
    latencies = []
    for number, at in enumerate(due):
        begun = max(at, heapq.heappop(free))
        end = begun + services[number % len(services)]
        heapq.heappush(free, end)
        latencies.append(end - at)
    return latencies


def highest_rate(
    services: Sequence[int],
    lanes: int,
    slo_ns: int,
    *,
    quantile: float = 0.99,
    arrivals: int = 20_000,
    seed: int = 0,
) -> float:
    """The highest Poisson rate (a second) whose `quantile` latency keeps `slo_ns`, by replay.

    Bisection on one stream of unit arrivals that is stretched, so the answer is monotone. 0.0
    when even a lone query is too slow.
    """
    unit = _unit_arrivals(arrivals, seed)
    place = min(arrivals - 1, int(quantile * arrivals))
    if lanes == 1:
        keeps = _one_lane(services, unit, place, slo_ns)
    else:

        def keeps(rate: float) -> bool:
            stretched = [int(at / rate) for at in unit]
            return sorted(replay(services, stretched, lanes))[place] <= slo_ns

    mean_ns = sum(services) / len(services)
    low, high = 0.0, lanes * 1e9 / mean_ns
    if not keeps(0.01 * high):
        return 0.0
    for _ in range(11):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def _one_lane(
    services: Sequence[int], unit: Sequence[int], place: int, slo_ns: int
) -> Callable[[float], bool]:
    """What `replay` says of one lane, without a loop over queries.

    With S(i) the sum of the first i services, query i ends at S(i) plus the largest due(j) - S(j-1)
    of all j up to i: Lindley's recursion, unrolled.
    """
    import numpy as np

    own = np.resize(np.asarray(services, np.float64), len(unit))
    spent, due_one = np.cumsum(own), np.asarray(unit, np.float64)
    before = spent - own

    def keeps(rate: float) -> bool:
        due = due_one / rate
        latencies = spent + np.maximum.accumulate(due - before) - due
        return bool(np.partition(latencies, place)[place] <= slo_ns)

    return keeps
