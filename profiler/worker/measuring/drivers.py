"""How queries are issued, one driver a scenario; `wire/scenarios.py` names it.

A driver plans the blocks of a job, runs one, and says what counts in it. It is made twice: the
round plans with it, and the runner's own issues the queries. Instruments are read before and after
the timed part, never inside.
"""

from __future__ import annotations

import math
import threading
import time
from array import array
from dataclasses import dataclass, replace
from importlib import import_module
from statistics import median
from typing import TYPE_CHECKING, Any, Optional, Protocol

from profiler.wire.codec import encode
from profiler.wire.messages import (
    DRIVEN_PER_S,
    MIN_SEGMENTS,
    MOST_BLOCKS,
    SEGMENT_NS,
    SEGMENT_QUERIES,
    Block,
    Job,
    RoundRequest,
    Start,
)
from profiler.wire.queueing import WARM_SHARE, highest_rate, poisson_arrivals
from profiler.wire.scenarios import SCENARIOS
from profiler.worker.instruments import counters
from profiler.worker.instruments.pools import stopped_between
from profiler.worker.measuring.lanes import side_by_side
from profiler.worker.measuring.openloop import serve

if TYPE_CHECKING:
    from profiler.worker.backends import Backend
    from profiler.worker.instruments.energy import Account
    from profiler.worker.instruments.nvml import Gpu

LEAD_SHARE = 0.1
"""Untimed queries at the head of a block, at least one: caches were used by others since the last
block of this trial."""
LEAST_IN_A_BLOCK = 3
"""So that the lead of a slow model takes a quarter of its time at most."""
MOST_IN_A_BLOCK = 10_000
SLOWEST = 0.1
"""server: share of what the lanes can do that is driven at least, so that a segment ends in time"""


@dataclass(frozen=True)
class Blocks:
    """What a driver plans for its job in one round."""

    count: int
    queries: int
    """timed ones of a block"""
    period_ns: float
    """that one query adds to the length of a block"""
    lead: int = 0
    """untimed queries at the head of a block"""
    spare: int = 0
    """blocks that may be measured once more, as something disturbed them"""


@dataclass(frozen=True)
class Counted:
    """What counts in a block."""

    block: Block
    latencies: array[int]
    """of each timed query, in ns"""
    services: Optional[array[int]] = None
    """open loop: the part of each latency that was service"""
    starts: tuple[Start, ...] = ()
    """fresh processes: this one's"""

    def told(self) -> dict[str, Any]:
        """As the runner tells its round."""
        return {
            "block": encode(self.block),
            "latencies": self.latencies.tolist(),
            "services": [] if self.services is None else self.services.tolist(),
            "starts": encode(self.starts),
        }


class Loaded(Protocol):
    """What is measured: a loaded backend, and how many queries it was asked so far."""

    job: Job
    backend: Backend
    energy: Account
    gpu: Optional[Gpu]
    next_query: int
    block_seed: int
    """of what is random in this block; the same for the n-th block of each trial of a round"""
    started: Start
    """how this process came up"""


class Driver(Protocol):
    """Issues the queries of one job: `Driver(job)`."""

    one_by_one: bool
    """no pause between queries: more of them may fill the window of an energy counter"""

    def plan(self, request: RoundRequest, typical_ns: int) -> Blocks:
        """The blocks of one round; a query took `typical_ns` in the warm-up, if there was one."""

    def block(self, runner: Loaded, position: int, count: int) -> Counted:
        """One block of `count` timed queries, at this place of the round's order."""


def make_driver(job: Job) -> Driver:
    """The driver of a job's scenario. Raises KeyError for an unknown one."""
    module, _, name = SCENARIOS[job.scenario].driver.partition(":")
    driver: Driver = getattr(import_module(module), name)(job)
    return driver


def describe(
    before: counters.Reading,
    after: counters.Reading,
    position: int,
    queries: int,
    wall_ns: int,
) -> Block:
    """The record of a block from the two readings around it."""

    def passed(first: Optional[int], last: Optional[int]) -> Optional[int]:
        return None if first is None or last is None else max(0, last - first)

    cpu_ns = after.cpu_ns - before.cpu_ns
    busy = passed(before.busy_ns, after.busy_ns)
    return Block(
        position=position,
        queries=queries,
        wall_ns=wall_ns,
        cpu_ns=cpu_ns,
        run_delay_ns=passed(before.run_delay_ns, after.run_delay_ns),
        involuntary_switches=after.involuntary_switches - before.involuntary_switches,
        steal_ns=passed(before.steal_ns, after.steal_ns),
        other_cpu_ns=None if busy is None else busy - cpu_ns,
    )


def begin(runner: Loaded) -> counters.Reading:
    """Read energy and noise counters just before the timed part."""
    runner.energy.start()
    return counters.read()


def end(runner: Loaded, queries: int) -> counters.Reading:
    """Read them again just after it; then wait until the thread pool is quiet, if need be."""
    after = counters.read()
    runner.energy.stop(queries)
    if not stopped_between(runner.job):
        counters.settle()
    return after


def record(
    runner: Loaded, before: counters.Reading, position: int, queries: int, wall_ns: int
) -> Block:
    """End a block that was begun: its record, with what the GPU says."""
    block = describe(before, end(runner, queries), position, queries, wall_ns)
    return block if runner.gpu is None else replace(block, gpu=runner.gpu.read())


def closed_loop(request: RoundRequest, period_ns: int, lanes: int = 1) -> Blocks:
    """Blocks of about the length that is asked, for queries that come as fast as they are done."""
    block_ns = max(request.block_ns, request.measure_ns / MOST_BLOCKS)
    queries = math.ceil(block_ns / period_ns)
    queries = max(lanes, LEAST_IN_A_BLOCK, min(MOST_IN_A_BLOCK, queries))
    wanted = round(request.measure_ns / (queries * period_ns))
    count = max(request.min_blocks, min(MOST_BLOCKS, wanted))
    lead = max(1, round(queries * LEAD_SHARE))
    return Blocks(count, queries, float(period_ns), lead, spare=count // 2)


def back_to_back(runner: Loaded, position: int, count: int) -> Counted:
    """Time `count` queries, one right after the other."""
    out = array("q", bytes(8 * count))
    before = begin(runner)
    start = time.perf_counter_ns()
    runner.backend.timed(runner.next_query, out)
    wall_ns = time.perf_counter_ns() - start
    block = record(runner, before, position, count, wall_ns)
    runner.next_query += count
    return Counted(block, out)


class Stream:
    """single_stream, multi_stream: one query after the other, each after a gap if there is one.

    A gap lets caches cool down and clocks drop, as in production. Wall time counts it, too.
    """

    def __init__(self, job: Job) -> None:
        self.gap_ns = job.gap_ns
        self.one_by_one = not job.gap_ns

    def plan(self, request: RoundRequest, typical_ns: int) -> Blocks:
        return closed_loop(request, typical_ns + self.gap_ns)

    def block(self, runner: Loaded, position: int, count: int) -> Counted:
        if not self.gap_ns:
            return back_to_back(runner, position, count)
        out, one, gap_s = array("q"), array("q", [0]), self.gap_ns / 1e9
        before = begin(runner)
        start = time.perf_counter_ns()
        for _ in range(count):
            time.sleep(gap_s)
            runner.backend.timed(runner.next_query, one)
            runner.next_query += 1
            out.append(one[0])
        wall_ns = time.perf_counter_ns() - start
        return Counted(record(runner, before, position, count, wall_ns), out)


class Offline:
    """offline: as much as goes through, by one or several lanes; the rate comes from wall time."""

    def __init__(self, job: Job) -> None:
        self.lanes = job.concurrency
        self.one_by_one = self.lanes == 1

    def plan(self, request: RoundRequest, typical_ns: int) -> Blocks:
        return closed_loop(request, max(1, typical_ns // self.lanes), self.lanes)

    def block(self, runner: Loaded, position: int, count: int) -> Counted:
        """With several lanes, each issues its share of `count` queries back to back."""
        if self.lanes == 1:
            return back_to_back(runner, position, count)
        share = max(1, count // self.lanes)
        outs = [array("q", bytes(8 * share)) for _ in range(self.lanes)]
        begins, ends = (array("q", bytes(8 * self.lanes)) for _ in range(2))
        clock, ask = time.perf_counter_ns, runner.backend.asker()
        readings: list[counters.Reading] = []
        gate = threading.Barrier(self.lanes, lambda: readings.append(begin(runner)))

        def lane_loop(lane: int) -> None:
            out = outs[lane]
            gate.wait()
            begins[lane] = clock()
            for i in range(share):
                start = clock()
                ask(lane + i * self.lanes)
                out[i] = clock() - start
            ends[lane] = clock()

        side_by_side(self.lanes, lane_loop)
        wall_ns = max(ends) - min(begins)
        block = record(runner, readings[0], position, share * self.lanes, wall_ns)
        return Counted(block, sum(outs, array("q")))


class Server:
    """server: a seeded Poisson schedule, at a given rate or at the highest that keeps the SLO."""

    one_by_one = False

    def __init__(self, job: Job) -> None:
        self.lanes, self.rate, self.slo_ns = job.concurrency, job.rate, job.slo_ns
        self.services = array("q")

    def plan(self, request: RoundRequest, typical_ns: int) -> Blocks:
        """Segments, which fill their queues themselves. A disturbed one is not repeated."""
        rate = self.rate or min(0.7 * self.lanes * 1e9 / typical_ns, DRIVEN_PER_S)
        queries = max(SEGMENT_QUERIES, int(rate * SEGMENT_NS / 1e9))
        wanted = round(request.measure_ns / max(1, queries / rate * 1e9))
        return Blocks(max(MIN_SEGMENTS, min(MOST_BLOCKS, wanted)), queries, 1e9 / rate)

    def block(self, runner: Loaded, position: int, count: int) -> Counted:
        """One segment of `count` recorded queries, after those that fill the queue."""
        lanes = self.lanes
        rate = self.rate
        if rate is None:
            rate = self._search(runner)
            count = min(count, max(SEGMENT_QUERIES, int(rate * SEGMENT_NS / 1e9)))
        warm = max(1, int(WARM_SHARE * count))
        due = poisson_arrivals(rate, count + warm, runner.block_seed)
        readings: list[counters.Reading] = []

        ask = runner.backend.asker()

        def query(lane: int, ticket: int) -> None:
            ask(lane + lanes * ticket)

        served = serve(query, due, lanes, warm=warm, begin=lambda: readings.append(begin(runner)))
        block = record(runner, readings[0], position, count, served.wall_ns)
        late = sorted(served.lateness[warm:])[min(count - 1, int(0.99 * count))]
        block = replace(block, rate=rate, lateness_ns=late)
        services = served.services[warm:]
        self.services.extend(services)
        return Counted(block, served.latencies[warm:], services)

    def _search(self, runner: Loaded) -> float:
        """Replay what was measured so far; the first time, a short closed loop stands in."""
        assert self.slo_ns is not None
        services, share = self.services, 1.0
        if not services:
            services, share = array("q", bytes(8 * 50)), 0.8
            runner.backend.timed(runner.next_query, services)
            # One stall of 50 queries is over any limit on p99, and would leave no rate at all.
            services = array("q", sorted(services)[:-1])
        rate = share * highest_rate(services, self.lanes, self.slo_ns)
        # A model too slow for its SLO is still driven, slowly, so that there is a record.
        slowest = SLOWEST * self.lanes * 1e9 / max(1.0, median(services))
        return min(max(rate, slowest), DRIVEN_PER_S)


class ColdStart:
    """cold_start: what counts is how the process came up, so no query is issued any more."""

    one_by_one = False

    def __init__(self, job: Job) -> None:
        self.starts = job.starts

    def plan(self, request: RoundRequest, typical_ns: int) -> Blocks:
        return Blocks(self.starts, queries=1, period_ns=1.0)

    def block(self, runner: Loaded, position: int, count: int) -> Counted:
        """From an unloaded model to the first answer."""
        started = runner.started
        total_ns = started.load_ns + started.first_query_ns
        block = Block(position=position, queries=count, wall_ns=total_ns, cpu_ns=0)
        return Counted(block, array("q", [total_ns]), starts=(started,))
