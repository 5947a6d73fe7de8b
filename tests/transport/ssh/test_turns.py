"""Bringing files to a device takes turns with whoever measures on it."""

import fcntl
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from profiler.errors import TransientError
from profiler.schema.device.ssh import SshSpec
from profiler.transport import helper
from profiler.transport.local import LocalTransport
from profiler.transport.ssh import programs
from profiler.transport.ssh.transport import SshTransport
from profiler.transport.travel import Travel


def blob(folder: Path, count: int = 3_000_000) -> tuple[Path, str]:
    data = os.urandom(count)
    (folder / "m").write_bytes(data)
    return folder / "m", hashlib.sha256(data).hexdigest()


@contextmanager
def measuring(folder: Path) -> Iterator[None]:
    """As a worker of another run does it."""
    with (folder / "measuring").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps({"pid": 7, "since": time.time() - 200}))
        file.flush()
        yield


class Staging(threading.Thread):
    """`stage` in a thread; `error` is how it ended."""

    def __init__(self, transport: SshTransport | LocalTransport, path: Path, sha: str) -> None:
        super().__init__()
        self.arguments, self.transport = (path, sha), transport
        self.error: TransientError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.transport.stage(*self.arguments)
        except TransientError as error:
            self.error = error


@pytest.fixture
def spec(sshd, tmp_path: Path) -> SshSpec:  # type: ignore[no-untyped-def]
    spec: SshSpec = sshd.with_folder(tmp_path / "device")
    transport = SshTransport(spec)
    transport.probe()
    transport.close()
    return spec


def test_a_transfer_waits_until_another_run_has_measured(spec: SshSpec, tmp_path: Path) -> None:
    noted: list[str] = []
    told = threading.Event()

    def note(text: str) -> None:
        noted.append(text)
        told.set()

    transport, folder = SshTransport(spec, travel=Travel(note=note)), Path(spec.folder)
    path, sha = blob(tmp_path)
    with measuring(folder):
        staging = Staging(transport, path, sha)
        assert told.wait(30)
        assert not (folder / "blobs" / sha).exists()
        assert not any(part.stat().st_size for part in (folder / "blobs").glob("*.part"))
    staging.join(30)
    transport.close()
    assert (folder / "blobs" / sha).read_bytes() == path.read_bytes()
    assert len(noted) == 1
    assert re.fullmatch(
        r"another profiler run is measuring on this device \(pid 7 there, for 3 min \d\d s\):"
        " taking turns with it",
        noted[0],
    )


def test_who_has_begun_waits_in_between(
    spec: SshSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is quick and the file long; another run begins to measure in the middle of it."""
    noted, moving = threading.Event(), threading.Event()
    source = Path(helper.__file__).read_text()
    monkeypatch.setattr(programs, "_helper", lambda: patched)
    patched = source.replace("TURN_S, LEAVE_S, IDLE_S = 5.0,", "TURN_S, LEAVE_S, IDLE_S = 0.05,")
    assert patched != source
    travel = Travel(note=lambda _: noted.set())
    monkeypatch.setattr(travel, "at", lambda _: moving.set())
    transport, folder = SshTransport(spec, travel=travel), Path(spec.folder)
    path, sha = blob(tmp_path, 200_000_000)
    staging = Staging(transport, path, sha)
    assert moving.wait(30)
    with measuring(folder):  # which it is let to, although the transfer goes on
        assert staging.is_alive()
        assert noted.wait(30)
    staging.join(60)
    transport.close()
    assert (folder / "blobs" / sha).stat().st_size == 200_000_000


def test_nobody_measures_while_a_piece_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper, "TURN_S", 0.02)
    monkeypatch.setattr(helper, "say", lambda **_: None)
    over, at_once, measured = threading.Event(), [], []
    working = False

    def measure() -> None:
        while not over.is_set():
            with measuring(tmp_path):
                at_once.append(working)
                time.sleep(0.01)
                at_once.append(working)
                measured.append(True)

    other = threading.Thread(target=measure)
    turns = helper.Turns(str(tmp_path))
    other.start()
    worked = 0
    while len(measured) < 5 or worked < 20:
        turns.take()
        working = True
        time.sleep(0.005)
        working = False
        worked += 1
    turns.leave()
    over.set()
    other.join()
    assert not any(at_once)


def test_a_host_that_goes_leaves_nobody_waiting(
    spec: SshSpec, tmp_path: Path, ends: Callable[[str, float], None]
) -> None:
    told = threading.Event()
    transport = SshTransport(spec, travel=Travel(note=lambda _: told.set()))
    with measuring(Path(spec.folder)):
        staging = Staging(transport, *blob(tmp_path))
        assert told.wait(30)
        begun_s = time.monotonic()
        transport.stop()
        staging.join(30)
        transport.close()
        ends(str(spec.folder), begun_s)
    assert staging.error is not None


def test_this_machine_takes_turns_too(tmp_path: Path) -> None:
    home = tmp_path / "device"
    transport = LocalTransport(home=home)
    path, sha = blob(tmp_path)
    with measuring(home):
        staging = Staging(transport, path, sha)
        staging.join(0.3)
        assert staging.is_alive()
        assert not (home / "blobs" / sha).exists()
    staging.join(30)
    assert (home / "blobs" / sha).read_bytes() == path.read_bytes()
    with measuring(home):
        staging = Staging(transport, path, sha)
        transport.stop()
        staging.join(3)
        assert not staging.is_alive()
    assert isinstance(staging.error, TransientError)
