"""What each scenario's driver plans, and what it says of itself."""

import time
from array import array
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from profiler.wire.messages import GpuReading, Job, RoundRequest, Start
from profiler.wire.queueing import poisson_arrivals
from profiler.wire.scenarios import SCENARIOS
from profiler.worker.measuring.drivers import Blocks, ColdStart, make_driver

REQUEST = RoundRequest(jobs=(), round=0, seed=0)
"""blocks of 10 ms, half a second in all, five blocks at least"""
MS = 1_000_000


@pytest.mark.parametrize(
    ("job", "typical_ns", "planned"),
    [
        ({}, 50_000, Blocks(50, 200, 5e4, lead=20, spare=25)),
        ({}, MS, Blocks(50, 10, MS, lead=1, spare=25)),
        ({}, 3 * MS, Blocks(42, 4, 3 * MS, lead=1, spare=21)),
        ({}, 1, Blocks(256, 10_000, 1.0, lead=1000, spare=128)),
        ({}, 10**9, Blocks(5, 3, 1e9, lead=1, spare=2)),
        ({"gap_ns": 9 * MS}, MS, Blocks(17, 3, 10 * MS, lead=1, spare=8)),
        ({"scenario": "multi_stream"}, MS, Blocks(50, 10, MS, lead=1, spare=25)),
        ({"scenario": "offline"}, MS, Blocks(50, 10, MS, lead=1, spare=25)),
        ({"scenario": "offline", "concurrency": 4}, MS, Blocks(50, 40, MS / 4, lead=4, spare=25)),
        ({"scenario": "offline", "concurrency": 128}, 60, Blocks(256, 10_000, 1.0, 1000, 128)),
        ({"scenario": "server", "rate": 1000.0}, MS, Blocks(2, 1000, MS)),
        ({"scenario": "server", "rate": 4.0}, MS, Blocks(2, 400, 250 * MS)),
        ({"scenario": "cold_start", "starts": 7}, 1, Blocks(7, 1, 1.0)),
    ],
)
def test_what_is_planned(job: dict[str, Any], typical_ns: int, planned: Blocks) -> None:
    assert make_driver(Job(trial="t", **job)).plan(REQUEST, typical_ns) == planned


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({}, True),
        ({"gap_ns": 1}, False),
        ({"scenario": "multi_stream"}, True),
        ({"scenario": "offline"}, True),
        ({"scenario": "offline", "concurrency": 2}, False),
        ({"scenario": "server"}, False),
        ({"scenario": "cold_start"}, False),
    ],
)
def test_whose_queries_may_fill_a_window(job: dict[str, Any], expected: bool) -> None:
    assert make_driver(Job(trial="t", **job)).one_by_one is expected


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"gap_ns": 1},
        {"scenario": "offline", "concurrency": 2},
        {"scenario": "server", "rate": 1e5},
    ],
)
def test_a_block_holds_its_queries_and_what_the_gpu_said_after_it(job: dict[str, Any]) -> None:
    told: list[object] = []

    def timed(first: int, out: Any) -> None:
        told.append(first)
        out[:] = array("q", [7] * len(out))

    def read() -> GpuReading:
        told.append("gpu")
        return GpuReading(celsius=50)

    runner: Any = SimpleNamespace(
        job=Job(trial="t"),
        next_query=1,
        block_seed=0,
        backend=SimpleNamespace(timed=timed, asker=lambda: told.append),
        energy=SimpleNamespace(start=lambda: told.append("start"), stop=told.append),
        gpu=SimpleNamespace(read=read),
    )
    found = make_driver(Job(trial="t", **job)).block(runner, position=3, count=4)
    assert found.block.queries == len(found.latencies) == 4
    assert found.block.gpu == GpuReading(celsius=50)
    assert "start" in told
    assert told[-2:] == [4, "gpu"], "energy of four queries, then the GPU"


def test_a_cold_start_counts_from_an_unloaded_model_to_the_first_answer() -> None:
    runner: Any = SimpleNamespace(started=Start(load_ns=5, first_query_ns=2, steady_ns=1))
    found = ColdStart(Job(trial="t")).block(runner, position=3, count=1)
    assert (found.block.position, found.block.queries, found.block.wall_ns) == (3, 1, 7)
    assert found.told()["latencies"] == [7]
    assert found.told()["starts"] == [{"load_ns": 5, "first_query_ns": 2, "steady_ns": 1}]


def test_every_scenario_has_its_driver_and_no_other_name_has_one() -> None:
    job = Job(trial="t")
    for name in SCENARIOS:
        assert make_driver(replace(job, scenario=name)).plan(REQUEST, MS).count > 0
    with pytest.raises(KeyError, match="burst"):
        make_driver(replace(job, scenario="burst"))


def test_a_long_round_has_longer_blocks_not_more_of_them_than_may_be_told() -> None:
    asked = replace(REQUEST, measure_ns=60_000 * MS)
    planned = make_driver(Job(trial="t")).plan(asked, MS)
    assert planned.count <= 256
    assert planned.count * planned.queries * MS == pytest.approx(60_000 * MS, rel=0.01)


class Refuses:
    """A backend whose fifth query raises."""

    def asker(self) -> Any:
        def ask(query: int) -> None:
            if query >= 4:
                raise ValueError("the fifth query")

        return ask


def loaded(backend: Any) -> Any:
    account = SimpleNamespace(start=lambda: None, stop=lambda queries: None)
    return SimpleNamespace(
        job=Job(trial="t"), backend=backend, energy=account, gpu=None, block_seed=1, next_query=0
    )


@pytest.mark.parametrize(
    "job", [{"scenario": "offline", "concurrency": 2},
            {"scenario": "server", "concurrency": 2, "rate": 1000.0}],
)  # fmt: skip
def test_a_query_that_raises_in_a_lane_fails_the_block(job: dict[str, Any]) -> None:
    """Its latency, and those never issued, were zero in a block called ok."""
    driver = make_driver(Job(trial="t", **job))
    with pytest.raises(ValueError, match="the fifth query"):
        driver.block(loaded(Refuses()), position=0, count=20)


class Sleeps:
    """Queries of a known length; remembers when the first began and the last ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked, self.ended = seconds, [], 0

    def asker(self) -> Any:
        def ask(query: int) -> None:
            self.asked.append(time.perf_counter_ns())
            time.sleep(self.seconds)
            self.ended = time.perf_counter_ns()

        return ask


def test_wall_time_of_lanes_holds_all_their_queries() -> None:
    """The clock started once the lanes were on their way."""
    backend = Sleeps(0.002)
    driver = make_driver(Job(trial="t", scenario="offline", concurrency=8))
    counted = driver.block(loaded(backend), position=0, count=16)
    assert counted.block.wall_ns >= backend.ended - min(backend.asked)


def test_wall_time_and_energy_of_a_segment_are_those_of_its_counted_queries() -> None:
    """They covered those that fill the queue as well: throughput read 9 % low."""
    backend, begun = Sleeps(0.0), []
    runner = loaded(backend)
    runner.energy.start = lambda: begun.append(len(backend.asked))
    driver = make_driver(Job(trial="t", scenario="server", rate=2000.0))
    counted = driver.block(runner, position=0, count=400)
    due = poisson_arrivals(2000.0, 440, seed=1)
    gaps_ns = due[-1] - due[39]
    assert gaps_ns <= counted.block.wall_ns < gaps_ns + 50 * MS
    assert begun == [39], "energy is read before the last query that does not count"


class Stalls(Sleeps):
    """Of the queries that look for a rate, one stalls for a second."""

    def timed(self, first: int, out: Any) -> None:
        for place in range(len(out)):
            out[place] = 1000 * MS if place == 7 else MS // 10


@pytest.mark.parametrize("slo_ns", [MS, 1])
def test_a_stall_while_the_rate_is_looked_for_leaves_one_that_ends_in_time(slo_ns: int) -> None:
    """One query a second was driven, 58,333 of them, until the round's patience ended."""
    driver = make_driver(Job(trial="t", scenario="server", slo_ns=slo_ns))
    planned = driver.plan(REQUEST, MS // 10)
    counted = driver.block(loaded(Stalls(0.0)), position=0, count=planned.queries)
    assert counted.block.rate is not None
    assert counted.block.rate >= 1000
    assert counted.block.wall_ns < 10 * planned.queries * planned.period_ns
    assert len(counted.latencies) == counted.block.queries
