"""How queries are issued in a timed block, one driver a scenario.

Each driver's `block(position, count)` returns the block's record and its latencies. Instruments
are read before and after the timed part, never inside.
"""

from __future__ import annotations

import threading
import time
from array import array
from typing import TYPE_CHECKING, Any, Optional, Protocol

from profiler.wire.codec import encode
from profiler.wire.messages import DRIVEN_PER_S, Block, Job
from profiler.wire.queueing import WARM_SHARE, highest_rate, poisson_arrivals
from profiler.worker.instruments import counters
from profiler.worker.measuring.openloop import serve

if TYPE_CHECKING:
    from profiler.worker.backends import Backend
    from profiler.worker.instruments.energy import Account


class Loaded(Protocol):
    """What is measured: a loaded backend, and how many queries it was asked so far."""

    job: Job
    backend: Backend
    energy: Account
    next_query: int


def describe(
    before: counters.Reading,
    after: counters.Reading,
    position: int,
    queries: int,
    wall_ns: int,
    **more: Any,
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
        **more,
    )


def begin(runner: Loaded) -> counters.Reading:
    """Read energy and noise counters just before the timed part."""
    runner.energy.start()
    return counters.read()


def end(runner: Loaded, queries: int) -> counters.Reading:
    """Read them again just after it; then wait until the thread pool is quiet."""
    after = counters.read()
    runner.energy.stop(queries)
    counters.settle()
    return after


class Driver(Protocol):
    """Issues the queries of one timed block."""

    def block(self, position: int, count: int) -> dict[str, Any]:
        """The block's record under 'block', its latencies in ns under 'latencies'."""


class ClosedLoop:
    """One query after the other: single_stream, multi_stream, offline without concurrency."""

    def __init__(self, runner: Loaded) -> None:
        self.runner = runner

    def block(self, position: int, count: int) -> dict[str, Any]:
        """Time `count` queries back to back."""
        runner = self.runner
        out = array("q", bytes(8 * count))
        before = begin(runner)
        start = time.perf_counter_ns()
        runner.backend.timed(runner.next_query, out)
        wall_ns = time.perf_counter_ns() - start
        after = end(runner, count)
        runner.next_query += count
        return {
            "block": encode(describe(before, after, position, count, wall_ns)),
            "latencies": out.tolist(),
        }


class Paced:
    """Think time between queries: caches cool down and clocks drop, as in production."""

    def __init__(self, runner: Loaded) -> None:
        self.runner = runner
        self.gap_s = runner.job.gap_ns / 1e9

    def block(self, position: int, count: int) -> dict[str, Any]:
        """Time `count` queries, each after a pause, which wall time counts too."""
        runner = self.runner
        out, one = array("q"), array("q", [0])
        before = begin(runner)
        start = time.perf_counter_ns()
        for _ in range(count):
            time.sleep(self.gap_s)
            runner.backend.timed(runner.next_query, one)
            runner.next_query += 1
            out.append(one[0])
        wall_ns = time.perf_counter_ns() - start
        after = end(runner, count)
        return {
            "block": encode(describe(before, after, position, count, wall_ns)),
            "latencies": out.tolist(),
        }


class Concurrent:
    """offline: several queries in flight on one session; the rate comes from wall time."""

    def __init__(self, runner: Loaded) -> None:
        self.runner = runner
        self.lanes = runner.job.concurrency

    def block(self, position: int, count: int) -> dict[str, Any]:
        """Every lane issues its share of `count` queries back to back."""
        runner, share = self.runner, max(1, count // self.lanes)
        outs = [array("q", bytes(8 * share)) for _ in range(self.lanes)]
        clock, ask = time.perf_counter_ns, runner.backend.asker()
        gate = threading.Barrier(self.lanes + 1)

        def lane_loop(lane: int) -> None:
            out = outs[lane]
            gate.wait()
            for i in range(share):
                start = clock()
                ask(lane + i * self.lanes)
                out[i] = clock() - start

        threads = [threading.Thread(target=lane_loop, args=(n,)) for n in range(self.lanes)]
        for thread in threads:
            thread.start()
        before = begin(runner)
        gate.wait()
        start = clock()
        for thread in threads:
            thread.join()
        wall_ns = clock() - start
        total = share * self.lanes
        after = end(runner, total)
        return {
            "block": encode(describe(before, after, position, total, wall_ns)),
            "latencies": [value for out in outs for value in out],
        }


class OpenLoop:
    """server: a seeded Poisson schedule, at a given rate or at the highest that keeps the SLO."""

    def __init__(self, runner: Loaded) -> None:
        self.runner = runner
        self.services: list[int] = []

    def block(self, position: int, count: int) -> dict[str, Any]:
        """One segment of `count` recorded queries, after those that fill the queue."""
        runner, job = self.runner, self.runner.job
        lanes = job.concurrency
        rate = self._search() if job.rate is None else job.rate
        warm = int(WARM_SHARE * count)
        due = poisson_arrivals(rate, count + warm, position)

        ask = runner.backend.asker()

        def query(lane: int, ticket: int) -> None:
            ask(lane + lanes * ticket)

        before = begin(runner)
        served = serve(query, due, lanes)
        after = end(runner, count)
        services = served.services[warm:]
        self.services.extend(services)
        late = sorted(served.lateness[warm:])[min(count - 1, int(0.99 * count))]
        block = describe(
            before, after, position, count, served.wall_ns, rate=rate, lateness_ns=late
        )
        return {
            "block": encode(block),
            "latencies": served.latencies[warm:].tolist(),
            "services": services.tolist(),
        }

    def _search(self) -> float:
        """Replay what was measured so far; the first time, a short closed loop stands in."""
        job = self.runner.job
        assert job.slo_ns is not None
        if not self.services:
            out = array("q", bytes(8 * 50))
            self.runner.backend.timed(self.runner.next_query, out)
            self.services = out.tolist()
            found = 0.8 * highest_rate(self.services, job.concurrency, job.slo_ns)
            self.services = []
        else:
            found = highest_rate(self.services, job.concurrency, job.slo_ns)
        # A model too slow for its SLO is still driven, slowly, so that there is a record.
        return min(max(found, 1.0), DRIVEN_PER_S)


def make_driver(runner: Loaded) -> Driver:
    """The driver of a job's scenario."""
    job = runner.job
    if job.scenario == "server":
        return OpenLoop(runner)
    if job.concurrency > 1:
        return Concurrent(runner)
    return Paced(runner) if job.gap_ns else ClosedLoop(runner)
