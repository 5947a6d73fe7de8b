"""This machine as a device: what ends a worker, and whose disk is full."""

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

import profiler.devices.session
from profiler.devices.session import Session
from profiler.errors import TransientError, TransportError
from profiler.transport.local import LocalTransport
from profiler.wire.messages import Job, RoundRequest


def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    request = RoundRequest(
        jobs=(Job(trial="t", backend="null"),), round=0, seed=0, measure_ns=1, min_blocks=1,
        warmup_ns=1, max_warmup_ns=1,
    )  # fmt: skip
    told: list[str] = []
    killed: list[int] = []

    with Session(LocalTransport(home=tmp_path), backoff_s=(0.0, 0.0)) as session:

        def work() -> str:
            if len(killed) < 2:
                killed.append(session._ask("hello")["pid"])
                os.kill(killed[-1], signal.SIGKILL)
            return session.round(request, lambda event: None)[0].status

        assert session.steady(work, told.append) == "ok"
    assert len(set(killed)) == 2
    assert all("killed (signal 9)" in text for text in told)
    assert len(told) == 2


def test_a_worker_without_memory_is_started_again_and_a_broken_one_is_not() -> None:
    explain = profiler.transport.local._explain
    assert type(explain(-9, "")) is TransientError
    assert type(explain(1, "Traceback ...\nMemoryError")) is TransientError
    assert type(explain(1, "SyntaxError")) is TransportError


@pytest.mark.parametrize("problem", ["full", "gone", "never made"])
def test_whose_fault_a_failed_fetch_is(
    tmp_path: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = LocalTransport(home=tmp_path / "device")
    out, blob = tmp_path / "device" / "out-1", "0" * 64
    out.mkdir()
    (out / blob).write_bytes(b"x")
    to = tmp_path / "results" / "x"
    if problem != "gone":
        to.parent.mkdir()
    if problem == "full":

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(TransportError if problem == "never made" else OSError):
        transport.fetch(str(out), "1" * 64 if problem == "never made" else blob, to, 1)
