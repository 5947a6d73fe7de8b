"""A host that dies, or whose link does, leaves no process, no file and no turn on the device."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from profiler.transport import payload
from profiler.wire.codec import encode
from profiler.wire.lines import LineReader, pack
from profiler.wire.messages import Job, RoundRequest
from profiler.worker.service.turn import Turn

NULL = Job(trial="a", backend="null", backend_options={"sleep_ns": 1e6})
LONG = RoundRequest(jobs=(NULL,), round=0, seed=0, measure_ns=10**12)
SOON_S = 90
"""for what ends by itself in a moment, and waits for a processor where others are busy"""


class Host:
    """What a host holds of its worker: the two ends of a stream, which it may forget."""

    def __init__(self, home: Path) -> None:
        data, sha = payload.build()
        (home / "blobs").mkdir(parents=True)
        (home / "blobs" / sha).write_bytes(data)
        self.worker = subprocess.Popen(
            [sys.executable, str(home / "blobs" / sha), "serve", str(home)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self.worker.stdout is not None
        self.reader = LineReader(self.worker.stdout.fileno())

    def say(self, message: Any) -> None:
        assert self.worker.stdin is not None
        self.worker.stdin.write(message if isinstance(message, bytes) else pack(message))
        self.worker.stdin.flush()

    def measure(self) -> list[psutil.Process]:
        """Have it begin a round that does not end; the processes there are then."""
        self.say({"id": 1, "op": "round", "args": {"request": encode(LONG)}})
        while self.reader.read(SOON_S).get("event", {}).get("stage") != "measure":
            pass
        me = psutil.Process(self.worker.pid)
        return [me, *me.children(recursive=True)]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path / "home")
    yield found
    for stream in (found.worker.stdin, found.worker.stdout):
        assert stream is not None
        with suppress(OSError):
            stream.close()
    found.worker.kill()
    found.worker.wait()


def clean(home: Path, processes: list[psutil.Process]) -> bool:
    """Whether nothing is left of a session, soon; staged blobs may stay."""
    assert len(processes) > 1, "a round has a runner"
    _, alive = psutil.wait_procs(processes, timeout=SOON_S)
    waited: list[Any] = []
    entering = threading.Thread(target=_take_turn, args=(home, waited), daemon=True)
    entering.start()
    entering.join(SOON_S)
    return not (alive or waited or entering.is_alive() or list(home.glob("out-*")))


def _take_turn(home: Path, waited: list[Any]) -> None:
    with Turn(home, waited.append):
        return


@pytest.mark.parametrize(
    "message",
    [b"", {"args": {}}, {"id": 7}, {"op": None}, {"op": 7, "args": 3}, {"op": "ping"},
     {"op": "ping", "silence_s": "x"}, {"op": "have", "args": [1]}, b"\x1eprofiler1 {\n",
     b"\x1eprofiler1 [1]\n", b"\xff\xfe\n"],
    ids=str,
)  # fmt: skip
def test_a_worker_ends_when_its_host_falls_silent_whatever_came_before(
    host: Host, tmp_path: Path, message: Any
) -> None:
    """The stream stays open, as over a link that is dead at one end only."""
    host.say(message)
    processes = host.measure()
    host.say({"op": "ping", "silence_s": 0.2})
    assert clean(tmp_path / "home", processes)


@pytest.mark.parametrize("end", ["stdin", "both"])
def test_a_worker_ends_with_its_stream_in_the_middle_of_a_round(
    host: Host, tmp_path: Path, end: str
) -> None:
    processes = host.measure()
    assert host.worker.stdin is not None
    assert host.worker.stdout is not None
    host.worker.stdin.close()
    if end == "both":
        host.worker.stdout.close()
    assert clean(tmp_path / "home", processes)


def test_pings_keep_a_worker_that_is_asked_nothing(host: Host, tmp_path: Path) -> None:
    processes = host.measure()
    for _ in range(10):
        host.say({"op": "ping", "silence_s": 5})
    assert all(process.is_running() for process in processes)
    host.say({"op": "ping", "silence_s": 0.2})
    assert clean(tmp_path / "home", processes)
