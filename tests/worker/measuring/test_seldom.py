"""The yardstick in a round: beside the others, and seldom."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.devices.session import Session
from profiler.variants import yardstick
from profiler.wire.messages import Job, Repetition, RoundRequest
from profiler.worker.measuring.drivers import Blocks
from profiler.worker.measuring.seldom import AROUND_NS, SHARE, plan

QUICK: dict[str, Any] = {
    "block_ns": 1_000_000, "measure_ns": 20_000_000, "warmup_ns": 1_000_000,
    "max_warmup_ns": 20_000_000, "seed": 1, "round": 0,
}  # fmt: skip


def null(name: str, **options: float) -> Job:
    return Job(trial=name, backend="null", provider="null", backend_options=options)


def staged(session: Session, folder: Path, model: bytes, rows: Any) -> Job:
    (folder / "y.onnx").write_bytes(model)
    np.save(folder / "y.npy", rows)
    session.stage([folder / "y.onnx", folder / "y.npy"])
    sha = {f: hashlib.sha256((folder / f).read_bytes()).hexdigest()
           for f in ("y.onnx", "y.npy")}  # fmt: skip
    return Job(trial="yardstick", artifact=sha["y.onnx"], inputs={"x": sha["y.npy"]},
               stack=False)  # fmt: skip


@pytest.fixture
def small(session: Session, tmp_path: Path) -> Job:
    return staged(session, tmp_path, yardstick.model(), yardstick.query())


def measure(
    session: Session, one: Job | None, *jobs: Job, told: Any = lambda event: None
) -> dict[str, Repetition]:
    request = RoundRequest(jobs=jobs, yardstick=one, **QUICK)
    found = session.round(request, told)
    assert [one.trial for one in found] == [job.trial for job in request.every_job]
    return {one.trial: one for one in found}


def test_it_takes_turns_in_a_process_of_its_own(session: Session, small: Job) -> None:
    """As a guest in another one's process it made that one faster by 1 %."""
    import psutil

    seen: list[set[int]] = []

    def look(event: dict[str, Any]) -> None:
        if event["stage"] == "measure":
            family = psutil.Process().children(recursive=True)
            seen.append({p.pid for p in family if "runner" in p.cmdline()})

    jobs = null("a", spin_ns=100_000), null("b", spin_ns=100_000)
    found = measure(session, small, *jobs, told=look)
    yardstick = found["yardstick"]
    assert {one.status for one in found.values()} == {"ok"}, yardstick.detail
    assert max(map(len, seen)) == 3
    positions = sorted(block.position for one in found.values() for block in one.blocks)
    assert positions == list(range(len(positions)))
    counts = {name: len(one.blocks) for name, one in found.items()}
    assert counts["yardstick"] <= min(counts["a"], counts["b"])


def test_others_fail_and_it_goes_on(session: Session, small: Job) -> None:
    found = measure(session, small, null("good"), null("bad", crash_at=3))
    assert found["good"].status == found["yardstick"].status == "ok"
    assert found["bad"].reason == "crashed"


def test_beside_nothing_it_is_not_measured(session: Session, small: Job) -> None:
    found = measure(session, small, null("bad", crash_at=0))
    assert found["bad"].status == "failed"
    assert found["yardstick"].reason == "not measured"


def test_it_fails_and_the_others_go_on(session: Session, tmp_path: Path) -> None:
    bad = staged(session, tmp_path, b"no model", yardstick.query())
    found = measure(session, bad, null("a"), null("b"))
    assert found["a"].status == found["b"].status == "ok"
    assert found["yardstick"].reason == "error"


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
