"""How often the yardstick is measured: seldom, and all along the round."""

from __future__ import annotations

import math
from typing import Sequence

from profiler.wire.messages import MOST_BLOCKS, RoundRequest
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
