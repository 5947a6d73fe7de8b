"""A small job in the process of another: how often it is measured, and the memory it takes there.

A process of its own would cost more than all it has to tell: starting one takes 0.3 s a round.
"""

from __future__ import annotations

import math
from typing import Optional, Sequence

from profiler.wire.messages import MOST_BLOCKS, RoundRequest
from profiler.worker.instruments import counters
from profiler.worker.measuring.drivers import LEAST_IN_A_BLOCK, MOST_IN_A_BLOCK, Blocks

SHARE = 0.02
"""of the time in which the other jobs of the round are measured"""
LEAST_BLOCKS = 6
SHORTEST_NS = 1_000_000
"""of a block; as long as the others' where so many of them fit into the share"""
LEAD = 2
"""untimed queries at the head of a block: whoever came before used the caches"""
AROUND_NS = 1_000_000
"""that asking for a block and reading the counters around it take, beside its queries"""
WARM_NS = 20_000_000
"""most of its warm-up; most often four of the shortest blocks are enough"""


def plan(request: RoundRequest, typical_ns: int, others: Sequence[Blocks]) -> Blocks:
    """Few blocks all along the round: no more than any other job has, nor than `SHARE` allows."""
    busy_ns = sum(one.count * (one.lead + one.queries) * one.period_ns for one in others)
    most = min(MOST_BLOCKS, max(one.count for one in others))
    fits_ns = SHARE * busy_ns / most - AROUND_NS - LEAD * typical_ns
    block_ns = max(SHORTEST_NS, min(request.block_ns, fits_ns))
    queries = max(LEAST_IN_A_BLOCK, min(MOST_IN_A_BLOCK, math.ceil(block_ns / typical_ns)))
    each_ns = (LEAD + queries) * typical_ns + AROUND_NS
    count = min(most, max(LEAST_BLOCKS, round(SHARE * busy_ns / each_ns)))
    return Blocks(count, queries, float(typical_ns), LEAD)


class Room:
    """What a guest adds to the memory of its host's process, so that it can be taken off again.

    Made before the guest comes.
    """

    def __init__(self) -> None:
        self._peak_bytes = counters.peak_bytes()
        self._before_bytes = counters.resident_bytes()
        self._grown_bytes = 0

    def taken(self) -> None:
        """The guest is in. From now on the peak is that of what the host does beside it."""
        now_bytes = counters.resident_bytes()
        if now_bytes is not None and self._before_bytes is not None:
            self._grown_bytes = max(0, now_bytes - self._before_bytes)
        counters.reset_peak_memory()

    def without_guest(self, figure_bytes: Optional[int]) -> Optional[int]:
        """A reading of now as it would be without the guest."""
        return None if figure_bytes is None else max(0, figure_bytes - self._grown_bytes)

    def peak(self, now_bytes: Optional[int]) -> Optional[int]:
        """The host's peak: before the guest came, or since then."""
        if now_bytes is None or self._peak_bytes is None:
            return now_bytes
        return max(self._peak_bytes, now_bytes - self._grown_bytes)
