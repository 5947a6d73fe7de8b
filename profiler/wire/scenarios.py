"""Every scenario: how queries are issued. A new one is an entry here and a driver in the worker.

Names are MLPerf's, and cold_start. Of a name that is not in the table nothing is known, and nothing
is assumed: a record that is read may come from a later version.
"""

from __future__ import annotations

from dataclasses import dataclass

SINGLE_STREAM, OFFLINE = "single_stream", "offline"
_DRIVERS = "profiler.worker.measuring.drivers"


@dataclass(frozen=True)
class Scenario:
    """What others ask about one way of issuing queries."""

    name: str
    driver: str = f"{_DRIVERS}:Stream"
    """'module:Class' of the worker's driver, loaded on first use"""
    keys: tuple[str, ...] = ()
    """keys of its table in a study that mean something to it"""
    batch: tuple[int, ...] = (1,)
    """samples a query where the study says nothing"""
    open_loop: bool = False
    """queries come at a rate, whether or not earlier ones are done: latency counts from their
    arrival, the part of it that was service is kept beside it, and where no rate was asked, the
    highest is looked for that keeps the limit on p99"""
    fresh: bool = False
    """each timed query is the first of a fresh process: as many a round as `starts` says, and what
    they are about is the start"""
    replayed: bool = False
    """its latencies are service times of one process: what comes at random times is replayed
    through it, for the rate that keeps a limit"""
    compares_batches: bool = False
    """batch sizes are what is compared: a model of another, fixed size is left out. Elsewhere one
    query of it is as many samples as its file says"""
    headline: str = "p99"
    """the metric that stands beside p50: p99 or throughput"""
    shares_cpu: bool = False
    """trials of one thread share a CPU that is drawn a round"""


_KNOWN = (
    Scenario(SINGLE_STREAM, keys=("gap",), shares_cpu=True, replayed=True),
    Scenario("multi_stream", keys=("batch",), batch=(8,), shares_cpu=True, replayed=True),
    Scenario(
        OFFLINE,
        driver=f"{_DRIVERS}:Offline",
        keys=("batch", "concurrency"),
        batch=(1, 8, 32),
        compares_batches=True,
        headline="throughput",
        shares_cpu=True,
    ),
    Scenario(
        "server",
        driver=f"{_DRIVERS}:Server",
        keys=("batch", "concurrency", "rate"),
        open_loop=True,
    ),
    Scenario(
        "cold_start",
        driver=f"{_DRIVERS}:ColdStart",
        keys=("batch", "starts", "cache"),
        fresh=True,
    ),
)
SCENARIOS = {one.name: one for one in _KNOWN}
"""name -> what is known of it"""


def known(name: str) -> Scenario:
    """What is known of a scenario."""
    return SCENARIOS.get(name) or Scenario(name)


def with_key(key: str) -> list[str]:
    """Names of the scenarios to which a key of a study's table means something."""
    return [name for name, one in SCENARIOS.items() if key in one.keys]
