"""Every scenario through the real worker, on the null backend."""

import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.devices.session import Session
from profiler.wire import disturbance
from profiler.wire.messages import Block, Job, Repetition, RoundRequest
from profiler.worker.instruments.counters import Reading
from profiler.worker.instruments.memory_limit import Limit
from profiler.worker.measuring.drivers import describe


def measure(session: Session, **job: Any) -> Repetition:
    request = RoundRequest(
        jobs=(Job(trial="t", backend="null", **job),), round=0, seed=1, measure_ns=20_000_000,
        block_ns=5_000_000, warmup_ns=1_000_000, max_warmup_ns=10_000_000,
    )  # fmt: skip
    (found,) = session.round(request, lambda event: None)
    assert found.status == "ok", found.detail
    return found


def fetch(session: Session, sha: str | None, to: Path) -> np.ndarray:
    assert sha is not None
    session.fetch(sha, to)
    return np.fromfile(to, "<i8")


def test_a_gap_is_in_wall_time_but_not_in_latency(session: Session, tmp_path: Path) -> None:
    found = measure(session, gap_ns=3_000_000, backend_options={"spin_ns": 50_000})
    latencies = fetch(session, found.latencies, tmp_path / "l")
    assert np.median(latencies) < 3_000_000
    for block in found.blocks:
        assert block.wall_ns >= block.queries * 3_000_000


def test_concurrent_queries_overlap(session: Session, tmp_path: Path) -> None:
    found = measure(
        session, scenario="offline", concurrency=4, backend_options={"sleep_ns": 5_000_000}
    )
    latencies = fetch(session, found.latencies, tmp_path / "l")
    wall = sum(block.wall_ns for block in found.blocks)
    assert len(latencies) == sum(block.queries for block in found.blocks)
    assert latencies.sum() > 2.5 * wall


def test_cold_starts_are_fresh_processes(session: Session, tmp_path: Path) -> None:
    found = measure(session, scenario="cold_start", starts=4)
    assert [block.queries for block in found.blocks] == [1] * 4
    assert len(fetch(session, found.latencies, tmp_path / "l")) == 4
    assert found.load_ns is not None


def test_server_at_a_rate_follows_its_schedule(session: Session, tmp_path: Path) -> None:
    found = measure(session, scenario="server", rate=1000.0, backend_options={"sleep_ns": 100_000})
    latencies = fetch(session, found.latencies, tmp_path / "l")
    services = fetch(session, found.services, tmp_path / "s")
    assert len(latencies) == len(services)
    assert (services >= 100_000).all()
    for block in found.blocks:
        assert block.rate == 1000.0
        assert block.queries / (block.wall_ns / 1e9) < 1500


def test_server_at_the_highest_rate_stays_below_saturation(session: Session) -> None:
    found = measure(
        session, scenario="server", slo_ns=20_000_000, backend_options={"sleep_ns": 2_000_000}
    )
    for block in found.blocks:
        assert block.rate is not None
        assert 50 < block.rate < 500


def test_affinity_is_kept(session: Session) -> None:
    """A CPU that does not exist is an error of the trial, so the setting really arrives."""
    request = RoundRequest(
        jobs=(Job(trial="t", backend="null", affinity=(4095,)),), round=0, seed=1
    )
    (found,) = session.round(request, lambda event: None)
    assert (found.status, found.reason) == ("failed", "error")


def test_runners_of_one_thread_share_a_cpu(session: Session) -> None:
    usable = tuple(sorted(os.sched_getaffinity(0)))
    if len(usable) < 2:
        pytest.skip("one CPU")
    jobs = (
        Job(trial="a", backend="null"),
        Job(trial="b", backend="null"),
        Job(trial="mine", backend="null", affinity=usable),
        Job(trial="two", backend="null", threads=2),
    )
    request = RoundRequest(
        jobs=jobs, round=0, seed=0, measure_ns=1, min_blocks=1, warmup_ns=1, max_warmup_ns=1
    )
    a, b, mine, two = session.round(request, lambda event: None)
    assert len(a.affinity) == 1
    assert b.affinity == a.affinity
    assert (mine.affinity, two.affinity) == (usable, ())


def block(**more: Any) -> Block:
    values: dict[str, Any] = {
        "position": 0, "queries": 1, "wall_ns": 20_000_000, "cpu_ns": 20_000_000,
        "run_delay_ns": 0, "involuntary_switches": 0, "steal_ns": 0, "other_cpu_ns": 0,
    }  # fmt: skip
    return Block(**{**values, **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, None),
        ({"other_cpu_ns": 10_000_000}, None),  # one tick is within the counter's rounding
        ({"steal_ns": 10_000_000}, "hypervisor"),
        ({"run_delay_ns": 1_000_000}, None),  # threads that fill all cores wait a little
        ({"run_delay_ns": 3_000_000}, "waited"),
        ({"other_cpu_ns": 20_000_000}, "other processes"),
        ({"run_delay_ns": None, "steal_ns": None, "other_cpu_ns": None}, None),
    ],
)
def test_what_disturbs_a_block(more: dict[str, Any], says: str | None) -> None:
    found = disturbance.of_block(block(**more))
    assert found is None if says is None else says in (found or "")


def test_the_time_of_others_may_be_below_zero_in_a_block_so_that_sums_are_right() -> None:
    def reading(cpu_ns: int, busy_ns: int) -> Reading:
        return Reading(
            cpu_ns=cpu_ns, run_delay_ns=0, involuntary_switches=0, busy_ns=busy_ns, steal_ns=0
        )

    readings = [reading(0, 0), reading(6_000_000, 0), reading(12_000_000, 10_000_000)]
    found = [
        describe(before, after, 0, 1, 6_000_000).other_cpu_ns
        for before, after in itertools.pairwise(readings)
    ]
    assert found == [-6_000_000, 4_000_000]


def test_a_limit_falls_back_where_no_control_group_can_be_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import subprocess
    import sys

    import profiler.worker.instruments.memory_limit as module

    monkeypatch.setattr(module, "_PLACES", ())
    code = "import sys; sys.stdin.read(1); x = bytearray(400_000_000)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        limit = Limit(200_000_000, "unused")
        limit.apply(process.pid)
        _, stderr = process.communicate(b"x", timeout=60)
        limit.close()
    assert limit.kind == "RLIMIT_DATA"
    assert b"MemoryError" in stderr


POOL = """
import sys, threading
import numpy as np, onnxruntime as ort
from profiler.worker.instruments import counters

options = ort.SessionOptions()
options.intra_op_num_threads = 2
session = ort.InferenceSession(sys.argv[1], options)
feed, own, spun = {"x": np.ones((64, 512), np.float32)}, threading.get_native_id(), 0
while spun < 10:
    session.run(None, feed)
    spun += counters.working_threads(own) > 0
    counters.settle(limit_ns=100_000_000_000)
    assert counters.working_threads(own) == 0
"""


def test_a_thread_pool_is_quiet_before_the_next_runner_works(make_model: Any) -> None:
    """ONNX Runtime's pool spins for up to tens of milliseconds after a query; settle waits.

    Threads are asked for their state: the CPU time of a spinning thread stands still for
    milliseconds between the kernel's ticks, which once fooled this very wait. Beside other load
    a pool may spin for longer than a round waits, and it may be quiet before anybody looks: so
    the limit is out of reach here, and queries go on until ten of them were seen to spin. In a
    process of its own, as threads of other tests may work at any time.
    """
    import subprocess
    import sys

    command = [sys.executable, "-c", POOL, make_model(width=512, classes=512)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr


def test_groups_of_workers_that_were_killed_are_removed(tmp_path: Path) -> None:
    import os

    from profiler.worker.instruments.memory_limit import _remove_orphans

    dead, alive = tmp_path / "profiler-999999999-runner-0", tmp_path / f"profiler-{os.getpid()}-r"
    dead.mkdir()
    alive.mkdir()
    _remove_orphans(tmp_path)
    assert list(tmp_path.iterdir()) == [alive]
