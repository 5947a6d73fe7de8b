"""When a measurement counts as disturbed by the rest of the machine: the one place that says so.

A block is short and its counters coarse, so that only much counts, and it is measured once more.
All blocks of a trial together tell less from nothing. The thresholds are those of
`scripts/bench_noise`, which measures how often a quiet run is flagged and how often one beside a
busy process is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence

from profiler.wire.messages import TICK_NS, Block

BLOCK_DELAY_SHARE = 0.1
"""of the CPU time used: threads that fill all cores wait for each other a little, always"""
BLOCK_OTHER_SHARE = 0.5
OTHER_SHARE = 0.15
"""Share of one CPU that others may use before a run counts as disturbed."""
DELAY_SHARE = 0.05
"""Of the CPU time used: a run whose threads fill all cores waits for 1 to 2 % when all is quiet."""
STEAL_SHARE = 0.01
SURE = 3.0
"""Standard deviations; that of a block, which counts whole ticks, is half a tick at most."""
BLOCK_SHARE = 0.1


def of_block(block: Block) -> Optional[str]:
    """What contaminated one block, in words, or None."""
    wall_ns = max(1, block.wall_ns)
    if block.steal_ns is not None and block.steal_ns >= TICK_NS:
        return "the hypervisor took the CPU away"
    if block.run_delay_ns is not None and block.run_delay_ns > BLOCK_DELAY_SHARE * max(
        block.cpu_ns, wall_ns
    ):
        return "it waited for a CPU that others used"
    if block.thermal is not None and block.thermal.throttled:
        return f"the processor was held back: {', '.join(block.thermal.throttled)}"
    other = block.other_cpu_ns
    # One tick is within the counter's rounding.
    if other is not None and other >= 2 * TICK_NS and other > BLOCK_OTHER_SHARE * wall_ns:
        return "other processes were busy"
    return None


@dataclass(frozen=True)
class Shares:
    """Sums over the blocks of a run, as shares of their wall time."""

    other_cpu: Optional[float]
    """CPUs kept busy by other processes, as far as the counter's ticks tell it from nothing"""
    run_delay: Optional[float]
    """waiting for a CPU"""
    steal: Optional[float]
    """CPUs taken by the hypervisor"""
    disturbed_blocks: float

    @property
    def reason(self) -> Optional[str]:
        """What contaminated the run as a whole, in words; None: nothing out of the ordinary."""
        if (self.steal or 0) > STEAL_SHARE:
            return f"hypervisor took {self.steal:.0%}"
        if (self.other_cpu or 0) > OTHER_SHARE:
            return f"others used {self.other_cpu:.1f} CPU"
        if (self.run_delay or 0) > DELAY_SHARE:
            return f"waited {self.run_delay:.0%} for a CPU"
        if self.disturbed_blocks > BLOCK_SHARE:
            return f"{self.disturbed_blocks:.0%} of blocks disturbed"
        return None


def shares(blocks: Sequence[Block]) -> Shares:
    """Over all blocks. A counter the kernel does not offer gives None."""
    wall_ns = sum(block.wall_ns for block in blocks) or 1
    used_ns = max(wall_ns, sum(block.cpu_ns for block in blocks))

    def share(name: str, whole_ns: int = wall_ns) -> Optional[float]:
        values = [getattr(block, name) for block in blocks]
        return None if not values or None in values else sum(values) / whole_ns

    other = share("other_cpu_ns")
    if other is not None and other * wall_ns < SURE * TICK_NS / 2 * math.sqrt(len(blocks)):
        other = 0.0
    return Shares(
        other_cpu=other,
        run_delay=share("run_delay_ns", used_ns),
        steal=share("steal_ns"),
        disturbed_blocks=sum(b.disturbed is not None for b in blocks) / max(1, len(blocks)),
    )
