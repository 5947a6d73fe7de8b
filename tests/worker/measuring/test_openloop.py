"""Open-loop load against queueing theory, and its own bookkeeping."""

import threading
import time
from array import array
from types import SimpleNamespace

import pytest

from profiler.wire.messages import DRIVEN_PER_S, SEGMENT_NS, Job, RoundRequest
from profiler.wire.queueing import highest_rate, poisson_arrivals, replay
from profiler.worker.measuring.drivers import Server
from profiler.worker.measuring.openloop import serve


def test_arrivals_are_seeded_ascending_and_have_the_rate() -> None:
    due = poisson_arrivals(1000.0, 20_000, seed=3)
    assert list(due) == sorted(due)
    assert due == poisson_arrivals(1000.0, 20_000, seed=3)
    assert due != poisson_arrivals(1000.0, 20_000, seed=4)
    assert due[-1] / 20_000 == pytest.approx(1e6, rel=0.03)


def test_replay_of_one_lane_by_hand() -> None:
    assert replay([10], [0, 4, 30], lanes=1) == [10, 16, 10]
    assert replay([10], [0, 4, 5], lanes=2) == [10, 10, 15]


def test_replay_reaches_the_mean_wait_of_m_d_1() -> None:
    """Pollaczek-Khinchine: mean wait of M/D/1 is rho D / (2 (1 - rho))."""
    service, rho = 1_000_000, 0.7
    due = poisson_arrivals(rho * 1e9 / service, 200_000, seed=1)
    latencies = replay([service], due, lanes=1)
    wait = sum(latencies) / len(latencies) - service
    assert wait == pytest.approx(rho * service / (2 * (1 - rho)), rel=0.05)


def test_the_highest_rate_keeps_the_limit_and_a_little_more_does_not() -> None:
    services, slo = [1_000_000] * 10, 5_000_000
    rate = highest_rate(services, 1, slo)
    unit = poisson_arrivals(1.0, 20_000, seed=0)

    def p99(at: float) -> int:
        return sorted(replay(services, [int(t / at) for t in unit], 1))[int(0.99 * 20_000)]

    assert p99(rate) <= slo < p99(rate * 1.02)
    assert 0.5e3 < rate < 1e3
    assert highest_rate(services, 2, slo) > 1.8 * rate
    assert highest_rate([10_000_000], 1, slo) == 0.0, "a lone query is too slow already"


def test_a_stall_delays_everything_that_was_scheduled_behind_it() -> None:
    """The latency counts from the schedule: exactly what a replay of the services says."""
    stalled = 5

    def query(lane: int, number: int) -> None:
        time.sleep(0.1 if number == stalled else 0.001)

    due = [i * 5_000_000 for i in range(30)]
    served = serve(query, due, lanes=1)
    expected = replay(served.services, due, lanes=1)
    for number, (got, exact) in enumerate(zip(served.latencies, expected, strict=True)):
        late = sum(served.lateness[: number + 1])
        assert exact - 1_000_000 <= got <= exact + late + 1_000_000
    behind = served.latencies[stalled + 1 : stalled + 10]
    assert min(behind) > 40_000_000, "queries behind the stall must not look quick"


def test_lanes_never_overlap_with_themselves() -> None:
    busy = [threading.Lock(), threading.Lock()]
    seen = []

    def query(lane: int, number: int) -> None:
        assert busy[lane].acquire(blocking=False), "one lane ran two queries at once"
        time.sleep(0.002)
        seen.append(number)
        busy[lane].release()

    served = serve(query, [0] * 20, lanes=2)
    assert sorted(seen) == list(range(20))
    assert served.wall_ns < 20 * 2_000_000 * 4
    assert all(value > 0 for value in served.latencies)


def test_the_highest_rate_is_one_that_can_be_driven() -> None:
    """A query that takes no time would ask for segments of millions, which take minutes."""
    job = Job(trial="a", backend="null", scenario="server", slo_ns=10**7)
    driver = Server(job)
    planned = driver.plan(RoundRequest(jobs=(job,), round=0, seed=0), typical_ns=50)
    assert planned.queries == DRIVEN_PER_S
    assert planned.period_ns * planned.queries == pytest.approx(SEGMENT_NS, rel=0.01)

    def timed(first: int, out: "array[int]") -> None:
        out[:] = array("q", [50]) * len(out)

    runner = SimpleNamespace(next_query=0, backend=SimpleNamespace(timed=timed))
    assert driver._search(runner) == DRIVEN_PER_S  # type: ignore[arg-type]
    driver.services = array("q", [50] * 100)
    assert driver._search(runner) == DRIVEN_PER_S  # type: ignore[arg-type]
    driver.services = array("q", [10**6] * 100)
    assert 500 < driver._search(runner) < 1000  # type: ignore[arg-type]
