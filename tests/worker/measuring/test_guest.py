"""A small job in the process of another."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from profiler.devices.session import Session
from profiler.variants import yardstick
from profiler.wire.messages import Guest, Job, Repetition, RoundRequest
from profiler.worker.instruments import counters
from profiler.worker.measuring.drivers import Blocks
from profiler.worker.measuring.guest import AROUND_NS, SHARE, Room, plan

QUICK: dict[str, Any] = {
    "block_ns": 1_000_000, "measure_ns": 20_000_000, "warmup_ns": 1_000_000,
    "max_warmup_ns": 20_000_000, "seed": 1, "round": 0,
}  # fmt: skip


def null(name: str, **options: float) -> Job:
    return Job(trial=name, backend="null", provider="null", backend_options=options)


def staged(session: Session, folder: Path, model: bytes, rows: Any) -> Job:
    (folder / "guest.onnx").write_bytes(model)
    np.save(folder / "guest.npy", rows)
    session.stage([folder / "guest.onnx", folder / "guest.npy"])
    sha = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest()
           for f in ("guest.onnx", "guest.npy")}  # fmt: skip
    return Job(trial="guest", artifact=sha["guest.onnx"], inputs={"x": sha["guest.npy"]},
               stack=False)  # fmt: skip


@pytest.fixture
def small(session: Session, tmp_path: Path) -> Job:
    return staged(session, tmp_path, yardstick.model(), yardstick.query())


def measure(
    session: Session, guest: Guest | None, *jobs: Job, told: Any = lambda event: None
) -> dict[str, Repetition]:
    request = RoundRequest(jobs=jobs, guest=guest, **QUICK)
    found = session.round(request, told)
    assert [one.trial for one in found] == [job.trial for job in request.every_job]
    return {one.trial: one for one in found}


def test_it_takes_turns_in_its_hosts_process_on_its_hosts_cpu(session: Session, small: Job) -> None:
    import psutil

    seen: list[set[int]] = []

    def look(event: dict[str, Any]) -> None:
        if event["stage"] == "measure":
            family = psutil.Process().children(recursive=True)
            seen.append({p.pid for p in family if "runner" in p.cmdline()})

    jobs = null("a", spin_ns=100_000), null("b", spin_ns=100_000)
    found = measure(session, Guest(job=small, host="b"), *jobs, told=look)
    guest = found["guest"]
    assert {one.status for one in found.values()} == {"ok"}, guest.detail
    assert [len(pids) for pids in seen] == [2] * len(seen) != []
    assert guest.affinity == found["b"].affinity
    assert guest.memory.peak_bytes is None, "the process is its host's"
    positions = sorted(block.position for one in found.values() for block in one.blocks)
    assert positions == list(range(len(positions)))
    counts = {name: len(one.blocks) for name, one in found.items()}
    assert counts["guest"] <= min(counts["a"], counts["b"])


def test_its_host_fails_and_it_is_gone_with_it(session: Session, small: Job) -> None:
    found = measure(session, Guest(job=small, host="bad"), null("good"), null("bad", crash_at=3))
    assert found["good"].status == "ok"
    assert (found["bad"].reason, found["guest"].reason) == ("crashed", "host failed")


def test_it_fails_and_its_host_goes_on(session: Session, tmp_path: Path) -> None:
    bad = staged(session, tmp_path, b"no model", yardstick.query())
    found = measure(session, Guest(job=bad, host="a"), null("a"), null("b"))
    assert found["a"].status == found["b"].status == "ok"
    assert found["guest"].reason == "error"


def test_a_host_is_as_large_as_without_its_guest(session: Session, tmp_path: Path) -> None:
    """The guest holds 64 MB here, so that taking it off shows."""
    weights = numpy_helper.from_array(np.ones((4096, 4096), np.float32), "w")
    values = [helper.make_tensor_value_info(name, 1, [1, 4096]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weights]
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    large = staged(session, tmp_path, made.SerializeToString(), np.ones((1, 1, 4096), np.float32))
    assert large.artifact is not None
    alone = Job(**{**vars(large), "trial": "host"})
    with_guest = measure(session, Guest(job=large, host="host"), alone)["host"].memory
    without = measure(session, None, alone)["host"].memory
    for name in ("peak_bytes", "pss_bytes", "loaded_bytes", "first_query_bytes"):
        ours, theirs = getattr(with_guest, name), getattr(without, name)
        if theirs is not None:
            assert abs(ours - theirs) < 20e6, name


@pytest.mark.parametrize(
    ("peaks", "told"),
    [((100, 130), 110), ((100, 115), 100), ((None, 130), 130), ((100, None), None)],
)
def test_the_peak_is_that_of_before_or_since_without_the_guest(
    monkeypatch: pytest.MonkeyPatch, peaks: tuple[int | None, int | None], told: int | None
) -> None:
    resident = iter([80, 100])
    monkeypatch.setattr(counters, "peak_bytes", lambda: peaks[0])
    monkeypatch.setattr(counters, "resident_bytes", lambda: next(resident))
    monkeypatch.setattr(counters, "reset_peak_memory", lambda: True)
    room = Room()
    room.taken()
    assert room.peak(peaks[1]) == told
    assert room.without_guest(90) == 70
    assert room.without_guest(None) is None


def test_few_blocks_and_a_small_share_of_the_time() -> None:
    request = RoundRequest(jobs=(), round=0, seed=0)
    three = [Blocks(50, 3, 3e6, lead=1)] * 3
    one = plan(request, 100_000, three)
    spent_ns = one.count * ((one.lead + one.queries) * one.period_ns + AROUND_NS)
    busy_ns = 3 * 50 * 4 * 3e6
    assert 0.8 * SHARE < spent_ns / busy_ns <= SHARE * 1.05
    assert plan(request, 100_000, [Blocks(50, 1, 1e5)]).count == 6, "some, however short"
    assert plan(request, 100_000, [Blocks(5, 3, 1e9)]).count == 5, "as often as the others"
    slow = plan(request, 100_000, [Blocks(5, 3, 1e9)])
    assert slow.queries * slow.period_ns == pytest.approx(request.block_ns, rel=0.01)
    assert plan(request, 10**9, [Blocks(5, 3, 1e9)]).queries == 3
