"""One CPU for all one-thread runners of a round, another one in the next.

Left to the kernel, now and then one process shares its CPU with something busy for a whole round
and is slower than the others by a third. On one CPU, a neighbour hits all of them alike. The CPU
is drawn anew for every round, so that intervals hold what CPUs differ by.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from profiler.wire import scenarios
from profiler.wire.affinity import usable_cpus
from profiler.wire.messages import Job
from profiler.worker.instruments.counters import busy_ticks
from profiler.worker.instruments.facts import core_groups
from profiler.worker.instruments.pools import on_cpu

WATCH_S = 0.05


def solo(job: Job) -> bool:
    """Whether this job's runner works with one thread, on a CPU nobody chose for it."""
    return (
        job.threads == 1
        and job.concurrency == 1
        and not job.affinity
        and scenarios.known(job.scenario).shares_cpu
        and on_cpu(job)
    )


def draw(
    usable: Sequence[int],
    groups: Sequence[Mapping[str, Any]],
    ticks: Mapping[int, int],
    order: random.Random,
) -> Optional[int]:
    """One of the CPUs that were least busy, at random; None where they are not alike.

    usable: CPUs this process may use; groups: `facts.core_groups`; ticks: CPU -> time that it was
    not idle, in the kernel's ticks; one that it does not tell of counts as idle.
    """
    kinds = [group for group in groups if set(group["cpus"]) & set(usable)]
    if len(kinds) > 1 or len(usable) < 2:
        return None
    least = min(ticks.get(cpu, 0) for cpu in usable)
    # One tick is within the counter's rounding.
    return order.choice([cpu for cpu in usable if ticks.get(cpu, 0) <= least + 1])


def draw_now(seed: int) -> Optional[int]:
    """`draw` by what the machine does in the next 50 ms; None where no CPU can be chosen."""
    usable = usable_cpus()
    if usable is None:
        return None
    before = busy_ticks()
    time.sleep(WATCH_S)
    after = busy_ticks()
    ticks = {cpu: count - before.get(cpu, count) for cpu, count in after.items()}
    return draw(usable, core_groups(), ticks, random.Random(seed))
