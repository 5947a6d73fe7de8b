"""What each scenario's driver plans, and what it says of itself."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from profiler.wire.messages import Job, RoundRequest, Start
from profiler.wire.scenarios import SCENARIOS
from profiler.worker.measuring.drivers import Blocks, ColdStart, make_driver

REQUEST = RoundRequest(jobs=(), round=0, seed=0)
"""blocks of 20 ms, half a second in all, five blocks at least"""
MS = 1_000_000


@pytest.mark.parametrize(
    ("job", "typical_ns", "planned"),
    [
        ({}, MS, Blocks(25, 20, MS, lead=2, spare=12)),
        ({}, 1, Blocks(64, 10_000, 1.0, lead=1000, spare=32)),
        ({}, 10**9, Blocks(5, 1, 1e9, lead=2, spare=2)),
        ({"gap_ns": 9 * MS}, MS, Blocks(25, 2, 10 * MS, lead=2, spare=12)),
        ({"scenario": "multi_stream"}, MS, Blocks(25, 20, MS, lead=2, spare=12)),
        ({"scenario": "offline"}, MS, Blocks(25, 20, MS, lead=2, spare=12)),
        ({"scenario": "offline", "concurrency": 4}, MS, Blocks(25, 80, MS / 4, lead=8, spare=12)),
        ({"scenario": "offline", "concurrency": 4}, 1, Blocks(64, 10_000, 1.0, 1000, 32)),
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
