"""Open-loop load: arrivals, their replay on lanes, and the highest rate that meets a limit."""

from __future__ import annotations

import heapq
import random
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache

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
