"""Measuring in turns: who waits, who is told, and whose lost worker is ended."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from profiler.campaign.group import GroupState
from profiler.devices.session import Session
from profiler.errors import TransportError
from profiler.progress import Silent
from profiler.transport.local import LocalTransport
from profiler.wire.messages import Job, RoundRequest
from profiler.worker.service import turn
from profiler.worker.service.turn import Turn

NULL = Job(trial="a", backend="null", backend_options={"sleep_ns": 1e6})
LONG = RoundRequest(jobs=(NULL,), round=0, seed=0, measure_ns=10**12)
SHORT = RoundRequest(jobs=(NULL,), round=0, seed=0, measure_ns=10**7)


def ignore(_: dict[str, Any]) -> None:
    """Nobody wants to know."""


def test_the_second_waits_for_the_first_and_says_for_whom(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    waiting, entered = threading.Event(), threading.Event()

    def say(event: dict[str, Any]) -> None:
        told.append(event)
        waiting.set()

    def second() -> None:
        with Turn(tmp_path, say):
            entered.set()

    thread = threading.Thread(target=second)
    with Turn(tmp_path, ignore):
        thread.start()
        assert waiting.wait(30)
        assert not entered.is_set()
    thread.join(30)
    assert entered.is_set()
    assert [list(event) for event in told] == [["waiting"], ["waited_s"]]
    assert told[0]["waiting"]["pid"] == os.getpid()
    assert told[0]["waiting"]["for_s"] >= 0
    assert (tmp_path / "measuring").stat().st_mode & 0o777 == 0o600


def test_who_finds_it_free_waits_for_nobody(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    mine = Turn(tmp_path, told.append)
    for _ in range(3):
        with mine:
            assert json.loads((tmp_path / "measuring").read_bytes())["pid"] == os.getpid()
        assert (tmp_path / "measuring").read_bytes() == b""
    assert told == []


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from profiler.worker.service.turn import Turn\n"
        "with Turn(Path(sys.argv[1]), print):\n    print('in', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        holder.kill()
    told: list[dict[str, Any]] = []
    with Turn(tmp_path, told.append):
        pass
    assert told == []


def test_a_number_that_is_another_process_by_now_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        fd = -1
        try:
            with Turn(tmp_path, ignore):
                fd = os.open(tmp_path / "measuring", os.O_RDWR)
                assert not turn._end({"pid": other.pid, "started": "1"}, fd)
                assert other.poll() is None
                monkeypatch.setattr(turn, "GRACE_S", 0.01)
                assert not turn._end({"pid": other.pid, "started": turn.started(other.pid)}, fd)
                assert other.wait(20) < 0, "the same with the right start is ended"
        finally:
            os.close(fd)
            other.kill()


@pytest.fixture
def measuring(tmp_path: Path) -> Any:
    """A session in the middle of a round that does not end by itself: (session, worker's pid)."""
    with Session(LocalTransport(home=tmp_path / "home")) as session:
        pid = session._ask("hello", owner=session._owner)["pid"]
        begun = threading.Event()

        def work() -> None:
            with pytest.raises(TransportError):
                session.round(LONG, lambda event: begun.set())

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(60)
        yield session, pid
        session.stop()
        thread.join(60)


def test_another_session_waits_until_the_round_is_over(
    measuring: tuple[Session, int], tmp_path: Path
) -> None:
    first, pid = measuring
    told: list[dict[str, Any]] = []

    def hear(event: dict[str, Any]) -> None:
        told.append(event)
        if "waiting" in event:
            assert psutil.pid_exists(pid), "a stranger's worker is not ended"
            first.stop()

    with Session(LocalTransport(home=tmp_path / "home")) as second:
        (repetition,) = second.round(SHORT, hear)
    assert repetition.status == "ok"
    assert told[0]["waiting"]["pid"] == pid
    assert told[1]["waited_s"] > 0
    assert not any("waiting" in event for event in told[1:])


def test_a_session_that_is_back_ends_the_worker_it_lost(
    measuring: tuple[Session, int], tmp_path: Path
) -> None:
    lost, pid = measuring
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    assert len(family) == 2
    outputs = set((tmp_path / "home").glob("out-*"))
    told: list[dict[str, Any]] = []
    with Session(LocalTransport(home=tmp_path / "home")) as back:
        back._ask("hello", owner=lost._owner)
        (repetition,) = back.round(SHORT, told.append)
        assert repetition.status == "ok"
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
        assert not any(folder.exists() for folder in outputs), "it cleaned up"
    assert not any("waiting" in event for event in told)


def test_the_user_is_told_once(tmp_path: Path) -> None:
    notes: list[str] = []

    class Heard(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    state = SimpleNamespace(_told=False)
    tell: Callable[..., None] = GroupState.tell
    for _ in range(2):
        tell(state, Heard(), {"waiting": {"pid": 7, "for_s": 12.3}})
    tell(SimpleNamespace(_told=False), Heard(), {"waiting": {"pid": None, "for_s": 0.0}})
    assert notes == [
        "another profiler run is measuring on this device (pid 7, for 12 s): taking turns with it",
        "another profiler run is measuring on this device: taking turns with it",
    ]


def test_what_was_waited_is_not_spent() -> None:
    from profiler.campaign.arrivals import Awaited
    from profiler.campaign.run import Campaign

    class Waited:
        def stage(self, files: dict[Path, str], called: dict[Path, str]) -> None:
            """Nothing to bring."""

        def round(self, request: RoundRequest, event: Callable[[dict[str, Any]], None]) -> Any:
            event({"stage": "load", "done": 0, "of": 1})
            event({"waited_s": 1e9})
            return ()

    heard: list[dict[str, Any]] = []
    campaign = SimpleNamespace(store=SimpleNamespace(folder=Path()))
    awaited = Awaited.of(None, None, Path())
    _, _, elapsed_s = Campaign._round(
        campaign, Waited(), {}, SHORT, awaited, heard.append  # type: ignore[arg-type]
    )  # fmt: skip
    assert elapsed_s == 0.0
    assert heard == [{"stage": "load", "done": 0, "of": 1}]
