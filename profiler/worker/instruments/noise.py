"""Was a block disturbed by the rest of the machine? Cheap counters around it tell.

The thresholds are those of `scripts/bench_noise`, which measures how often a quiet run is flagged
and how often one beside a busy process is not.
"""

from __future__ import annotations

from typing import Optional

from profiler.wire.messages import TICK_NS, Block

RUN_DELAY_SHARE = 0.1
"""of the CPU time used: threads that fill all cores wait for each other a little, always"""
OTHER_SHARE = 0.5


def disturbance(block: Block) -> Optional[str]:
    """What contaminated the block, in words, or None."""
    wall_ns = max(1, block.wall_ns)
    if block.steal_ns is not None and block.steal_ns >= TICK_NS:
        return "the hypervisor took the CPU away"
    if block.run_delay_ns is not None and block.run_delay_ns > RUN_DELAY_SHARE * max(
        block.cpu_ns, wall_ns
    ):
        return "it waited for a CPU that others used"
    if block.thermal is not None and block.thermal.throttled:
        return f"the processor was held back: {', '.join(block.thermal.throttled)}"
    other = block.other_cpu_ns
    # One tick is within the counter's rounding.
    if other is not None and other >= 2 * TICK_NS and other > OTHER_SHARE * wall_ns:
        return "other processes were busy"
    return None
