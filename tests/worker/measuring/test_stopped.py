"""Runners with a pool of threads are stopped while others are measured."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from profiler.devices.session import Session
from profiler.variants import yardstick
from profiler.wire.messages import GpuOptions, Job, RoundRequest
from profiler.worker.instruments.pools import stopped_between

QUICK: dict[str, Any] = {
    "block_ns": 2_000_000, "measure_ns": 500_000_000, "warmup_ns": 5_000_000,
    "max_warmup_ns": 50_000_000, "seed": 1, "round": 0,
}  # fmt: skip


@pytest.fixture
def pooled(session: Session, tmp_path: Path) -> Callable[[str], Job]:
    """pooled(name) -> a job with two threads."""
    (tmp_path / "m.onnx").write_bytes(yardstick.model())
    np.save(tmp_path / "x.npy", yardstick.query())
    files = [tmp_path / "m.onnx", tmp_path / "x.npy"]
    session.stage(files)
    model, rows = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return lambda name: Job(
        trial=name, artifact=model, inputs={"x": rows}, stack=False, threads=2
    )  # fmt: skip


def test_their_threads_do_not_spin_in_others_blocks(
    session: Session, pooled: Callable[[str], Job]
) -> None:
    seen: list[list[str]] = []

    def look(event: dict[str, Any]) -> None:
        if event["stage"] == "measure":
            runners = [p for p in psutil.Process().children(recursive=True) if _runs(p)]
            seen.append([p.status() for p in runners])

    found = session.round(RoundRequest(jobs=(pooled("a"), pooled("b")), **QUICK), look)
    assert [one.status for one in found] == ["ok", "ok"]
    assert max(len(states) for states in seen) == 2
    assert any(psutil.STATUS_STOPPED in states for states in seen), "one of them may be at work"
    assert all(len(one.blocks) >= 5 for one in found)


def _runs(process: psutil.Process) -> bool:
    try:
        return "runner" in process.cmdline()
    except psutil.Error:
        return False


def test_a_failure_of_a_stopped_runner_is_told_and_ends_it(
    session: Session, pooled: Callable[[str], Job]
) -> None:
    """It must go on to say so, and a process that is stopped must not stay."""
    broken = replace(pooled("a"), inputs={})
    failed, good = session.round(
        RoundRequest(jobs=(broken, pooled("b")), **QUICK), lambda event: None
    )
    assert (failed.status, good.status) == ("failed", "ok")
    left = [p for p in psutil.Process().children(recursive=True) if _runs(p)]
    assert left == []


@pytest.mark.parametrize(
    ("changed", "stopped"),
    [
        ({}, True), ({"threads": 1}, False), ({"scenario": "cold_start"}, False),
        ({"gpu": GpuOptions(select="0")}, False), ({"device": "NPU"}, False),
        ({"provider": "CUDAExecutionProvider"}, False),
        ({"backend": "torch", "provider": "torch-eager"}, True),
    ],
)  # fmt: skip
def test_who_is_stopped(changed: dict[str, Any], stopped: bool) -> None:
    assert stopped_between(replace(Job(trial="t", threads=2), **changed)) is stopped
