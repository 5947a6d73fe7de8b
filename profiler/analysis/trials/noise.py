"""What the machine did to a trial, in words, from the counters around its blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.wire.messages import TICK_NS, Block, Repetition

OTHER_SHARE = 0.15
"""Share of one CPU that others may use before a run counts as disturbed (see bench_noise)."""
DELAY_SHARE = 0.05
"""Of the CPU time used: a run whose threads fill all cores waits for 1 to 2 % when all is quiet."""
STEAL_SHARE = 0.01
SURE = 3.0
"""Standard deviations; that of a block, which counts whole ticks, is half a tick at most."""
BLOCK_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Sums over the blocks of one or more repetitions, as shares of their wall time."""

    other_cpu: float | None
    """CPUs kept busy by other processes, as far as the counter's ticks tell it from nothing"""
    run_delay: float | None
    """waiting for a CPU"""
    steal: float | None
    """CPUs taken by the hypervisor"""
    disturbed_blocks: float


def shares(repetitions: Sequence[Repetition]) -> Shares:
    """Over all blocks. A counter the kernel does not offer gives None."""
    blocks = [block for repetition in repetitions for block in repetition.blocks]
    wall_ns = sum(block.wall_ns for block in blocks) or 1
    used_ns = max(wall_ns, sum(block.cpu_ns for block in blocks))

    def share(name: str, whole_ns: int = wall_ns) -> float | None:
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


def disturbed(repetitions: Sequence[Repetition]) -> bool:
    """Whether the runs as a whole were contaminated."""
    found = shares(repetitions)
    return (
        (found.other_cpu or 0) > OTHER_SHARE
        or (found.run_delay or 0) > DELAY_SHARE
        or (found.steal or 0) > STEAL_SHARE
        or found.disturbed_blocks > BLOCK_SHARE
    )


def describe(repetitions: Sequence[Repetition]) -> str | None:
    """One short text for the table; None when nothing was out of the ordinary."""
    if not disturbed(repetitions):
        return None
    found = shares(repetitions)
    if (found.steal or 0) > STEAL_SHARE:
        return f"hypervisor took {found.steal:.0%}"
    if (found.other_cpu or 0) > OTHER_SHARE:
        return f"others used {found.other_cpu:.1f} CPU"
    if (found.run_delay or 0) > DELAY_SHARE:
        return f"waited {found.run_delay:.0%} for a CPU"
    return f"{found.disturbed_blocks:.0%} of blocks disturbed"


def reasons(repetitions: Sequence[Repetition]) -> Counter[str]:
    """How many blocks were disturbed by what."""
    blocks: list[Block] = [b for r in repetitions for b in r.blocks]
    return Counter(b.disturbed for b in blocks if b.disturbed is not None)
